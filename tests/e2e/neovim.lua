-- Drives Neovim 0.7: types into a buffer that is attached to the real server, asks for completions,
-- accepts what it is told to, and writes the answers and the final text to a JSON file.
--
-- LANCEFILL_SCRIPT names a JSON file: {file, settings, steps: [{keys, method, accept}]}.
-- LANCEFILL_ANSWERS names the file to write: {answers, text} or {failed}.

local TIMEOUT_MS = 150000
local PAUSE_MS = 100

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

-- As if by hand: `keys` may hold <Esc> and its like.
local function type_keys(keys)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), 'xt', false)
end

local function attached_client()
  local found = vim.wait(TIMEOUT_MS, function()
    local _, client = next(vim.lsp.buf_get_clients(0))
    return client ~= nil and client.initialized
  end)
  assert(found, 'the server did not attach')
  return select(2, next(vim.lsp.buf_get_clients(0)))
end

-- Asks at the end of the current line: leaving insert mode has moved the cursor back by one.
local function ask(client, method)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local _, utf16 = vim.str_utfindex(vim.api.nvim_get_current_line())
  params.position.character = utf16
  params.context = { triggerKind = 1 }
  -- The buffer's number, not 0: only by it are edits that still wait to be sent found, and sent first.
  local buffer = vim.api.nvim_get_current_buf()
  local answer = assert(client.request_sync(method, params, TIMEOUT_MS, buffer))
  assert(not answer.err, vim.inspect(answer.err))
  return answer.result
end

-- The index may still be on its way and the model still loading: both answer empty until then.
local function ask_until_answered(client, method)
  local deadline = vim.loop.now() + TIMEOUT_MS
  local result = ask(client, method)
  while #result.items == 0 and vim.loop.now() < deadline do
    vim.wait(PAUSE_MS)
    result = ask(client, method)
  end
  return result
end

local function accept(client, item)
  local edit = item.textEdit or { range = item.range, newText = item.insertText }
  vim.lsp.util.apply_text_edits({ edit }, vim.api.nvim_get_current_buf(), client.offset_encoding)
end

local function main()
  local script = vim.fn.json_decode(read(os.getenv('LANCEFILL_SCRIPT')))
  vim.cmd('edit ' .. vim.fn.fnameescape(script.file))
  local client = attached_client()
  client.notify('workspace/didChangeConfiguration', { settings = { lancefill = script.settings } })
  local answers = {}
  for _, step in ipairs(script.steps) do
    type_keys(step.keys)
    if step.method then
      local result = ask_until_answered(client, step.method)
      table.insert(answers, result)
      if step.accept and result.items[1] then
        accept(client, result.items[1])
      end
    end
  end
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, true)
  return { answers = answers, text = table.concat(lines, '\n') .. '\n' }
end

local ok, outcome = xpcall(main, debug.traceback)
local out = assert(io.open(os.getenv('LANCEFILL_ANSWERS'), 'wb'))
out:write(vim.fn.json_encode(ok and outcome or { failed = outcome }))
out:close()
vim.cmd('qall!')
