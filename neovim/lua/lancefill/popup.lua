-- Popups on <C-x><C-o>, and the import that comes with a name.

local M = {}

-- The LSP item that was just accepted, or nil.
local function accepted()
  local done = vim.v.completed_item
  local data = type(done.user_data) == 'table' and done.user_data or {}
  local item = vim.tbl_get(data, 'nvim', 'lsp', 'completion_item')
  local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
  return item and done.word ~= '' and vim.endswith(before, done.word) and item or nil
end

-- Neovims before 0.11 leave out what an item changes elsewhere.
local function write_imports(client, buffer)
  vim.api.nvim_create_autocmd('CompleteDone', {
    group = vim.api.nvim_create_augroup('lancefill.popup.' .. buffer, {}),
    buffer = buffer,
    callback = function()
      local item = accepted()
      if item and item.additionalTextEdits then
        vim.lsp.util.apply_text_edits(item.additionalTextEdits, buffer, client.offset_encoding)
      end
    end,
  })
end

-- For a buffer that the client serves from now on.
function M.enable(client, buffer)
  vim.bo[buffer].omnifunc = 'v:lua.vim.lsp.omnifunc'
  if vim.lsp.completion then
    vim.lsp.completion.enable(true, client.id, buffer)
  else
    write_imports(client, buffer)
  end
end

return M
