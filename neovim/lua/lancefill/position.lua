-- LSP positions: columns count units of the encoding that the server chose; Neovim counts bytes.

local M = {}

-- What one character costs, by the first of its UTF-8 bytes; the others cost nothing.
local function units_of(byte, encoding)
  if encoding == 'utf-8' then
    return 1
  elseif byte >= 0x80 and byte < 0xC0 then
    return 0
  elseif encoding == 'utf-16' and byte >= 0xF0 then
    return 2
  end
  return 1
end

-- The units of the first `bytes` bytes of `line`.
function M.units(line, bytes, encoding)
  local units = 0
  for index = 1, math.min(bytes, #line) do
    units = units + units_of(line:byte(index), encoding)
  end
  return units
end

-- The bytes before the character that begins at `units`; all of the line where it is shorter.
function M.bytes(line, units, encoding)
  local before = 0
  for index = 1, #line do
    local cost = units_of(line:byte(index), encoding)
    if cost > 0 and before >= units then
      return index - 1
    end
    before = before + cost
  end
  return #line
end

-- The cursor of the current window as `{ textDocument, position }`.
function M.at_cursor(encoding)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return {
    textDocument = { uri = vim.uri_from_bufnr(0) },
    position = {
      line = row - 1,
      character = M.units(vim.api.nvim_get_current_line(), column, encoding),
    },
  }
end

return M
