-- Ghost text for Neovims without vim.lsp.inline_completion: grey text behind the cursor.
--
-- Nothing here changes the buffer but `accept`, `accept_word` and `accept_line`.

local clients = require('lancefill.client')
local position = require('lancefill.position')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2
local namespace = vim.api.nvim_create_namespace('lancefill.ghost')

-- Over which `keys` of setup{ ghost = { keys = {…} } } is laid; `false` leaves one unmapped.
M.KEYS = {
  accept = '<Tab>',
  accept_word = '<M-Right>',
  accept_line = '<M-Down>',
  dismiss = '<C-]>',
  next = '<M-n>',
  previous = '<M-p>',
}

local debounce_ms
local is_paused = false
-- What is shown: {buffer, row, column, client, items, texts, index, tail, suffix, below}. The texts, of
-- the items that `client` sent, begin at the place
-- (row, column); accepting one whole also takes the `tail`, which is the beginning of `suffix`, the
-- rest of the cursor's line. `below` counts the lines under it.
local shown
-- What was asked and not answered yet: {client, id}.
local asked
-- What was asked last, and may be asked again: {moment, kind}.
local last
-- Of the timers that were started only the newest may ask.
local newest_timer = 0
-- The moment of the last key: {buffer, tick, row, column}.
local seen = {}

-- Cursor: zero-based row, byte column, and the line.
local function here()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, column, vim.api.nvim_get_current_line()
end

local function lines_below(row)
  return vim.api.nvim_buf_line_count(0) - row - 1
end

local function inserting()
  return vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function popup_open()
  return vim.fn.pumvisible() == 1
end

-- Text from a place up to the cursor, or nil where the cursor is before it.
local function typed_since(row, column)
  local now, at = here()
  local length = row <= now and #(vim.api.nvim_buf_get_lines(0, row, row + 1, false)[1] or '') or -1
  if row > now or (row == now and column > at) or column > length then
    return nil
  end
  return table.concat(vim.api.nvim_buf_get_text(0, row, column, now, at, {}), '\n')
end

-- Texts that the typed one begins, in their order, and the same text as the chosen one on top.
local function continuing(suggestion, typed)
  local texts, index = {}, 1
  for number, text in ipairs(suggestion.texts) do
    if vim.startswith(text, typed) and #text > #typed then
      table.insert(texts, text)
      index = number == suggestion.index and #texts or index
    end
  end
  return texts, index
end

-- What of the suggestion is still to come, or nil where what was typed is something else.
local function rest()
  if not shown or shown.buffer ~= vim.api.nvim_get_current_buf() then
    return nil
  end
  local row, column, line = here()
  local typed = typed_since(shown.row, shown.column)
  if not typed or line:sub(column + 1) ~= shown.suffix or lines_below(row) ~= shown.below then
    return nil
  end
  local texts, index = continuing(shown, typed)
  if #texts == 0 then
    return nil
  end
  shown.texts, shown.index = texts, index
  return texts[index]:sub(#typed + 1)
end

-- Tabs as blanks: virtual text shows no tabs. `column` is the screen column where the text begins.
local function expanded(text, column)
  local pieces = {}
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    table.insert(pieces, piece)
    column = column + vim.fn.strdisplaywidth(piece, column)
    if tab ~= '' then
      local blanks = vim.bo.tabstop - column % vim.bo.tabstop
      table.insert(pieces, (' '):rep(blanks))
      column = column + blanks
    end
  end
  return table.concat(pieces)
end

-- The first line lies over what follows the cursor, which is shown again behind the last one.
local function draw(text)
  local row, column, line = here()
  local lines = vim.split(text, '\n', { plain = true })
  local start = vim.fn.strdisplaywidth(line:sub(1, column))
  local first = expanded(lines[1], start)
  local follows = expanded(shown.suffix:sub(#shown.tail + 1), start)
  local covered = vim.fn.strdisplaywidth(expanded(shown.suffix, start))
  local chunks, below = { { first, 'LancefillGhost' } }, {}
  for number = 2, #lines do
    table.insert(below, { { expanded(lines[number], 0), 'LancefillGhost' } })
  end
  table.insert(below[#below] or chunks, { follows, 'Normal' })
  local width = 0
  for _, chunk in ipairs(chunks) do
    width = width + vim.fn.strdisplaywidth(chunk[1])
  end
  table.insert(chunks, { (' '):rep(covered - width), 'Normal' })
  vim.api.nvim_buf_clear_namespace(0, namespace, 0, -1)
  vim.api.nvim_buf_set_extmark(0, namespace, row, column, {
    virt_text = chunks,
    virt_text_pos = 'overlay',
    virt_lines = #below > 0 and below or nil,
  })
end

local function forget()
  if shown then
    if vim.api.nvim_buf_is_valid(shown.buffer) then
      vim.api.nvim_buf_clear_namespace(shown.buffer, namespace, 0, -1)
    end
    shown = nil
  end
end

local function cancel()
  newest_timer = newest_timer + 1
  if asked then
    clients.cancel(asked.client, asked.id)
    asked = nil
  end
end

-- Take ghost text away until the next key, and whatever is still on its way.
function M.dismiss()
  cancel()
  forget()
  last = nil
end

-- Tell the server what became of the item that is shown; it learns how much is accepted.
local function tell(what, facts)
  local item = shown.items[shown.index]
  local params = vim.tbl_extend('error', { item = item }, facts or {})
  clients.notify(shown.client, 'textDocument/' .. what, params)
end

local function run_command()
  local command = shown.items[shown.index].command
  if command then
    local params = { command = command.command, arguments = command.arguments }
    clients.request(shown.client, 'workspace/executeCommand', params, shown.buffer, function() end)
  end
end

-- An item as {text, tail}, or nil where it is not one that continues what stands before the cursor.
local function usable(item, encoding)
  local row, column, line = here()
  if type(item.insertText) ~= 'string' then
    return nil -- a snippet
  end
  local text = item.insertText:gsub('\r\n?', '\n')
  local from, to = column, column
  if item.range then
    if item.range.start.line ~= row or item.range['end'].line ~= row then
      return nil
    end
    from = position.bytes(line, item.range.start.character, encoding)
    to = position.bytes(line, item.range['end'].character, encoding)
  end
  local typed = line:sub(from + 1, column)
  if from > column or to < column or not vim.startswith(text, typed) or #text == #typed then
    return nil
  end
  return { text = text:sub(#typed + 1), tail = line:sub(column + 1, to) }
end

local function show(items, client)
  local row, column, line = here()
  local usables, texts, tail = {}, {}, nil
  for _, item in ipairs(items) do
    local found = usable(item, client.offset_encoding)
    if found and (tail or found.tail) == found.tail then
      tail = found.tail
      table.insert(usables, item)
      table.insert(texts, found.text)
    end
  end
  forget()
  if #texts > 0 then
    shown = {
      buffer = vim.api.nvim_get_current_buf(),
      row = row,
      column = column,
      client = client,
      items = usables,
      texts = texts,
      index = 1,
      tail = tail,
      suffix = line:sub(column + 1),
      below = lines_below(row),
    }
    draw(texts[1])
    tell('didShowCompletion')
  end
end

-- Everything that makes an answer stale when it changes.
local function moment()
  local row, column = here()
  local buffer = vim.api.nvim_get_current_buf()
  return { buffer, vim.api.nvim_buf_get_changedtick(buffer), row, column }
end

local function ask(kind)
  local buffer = vim.api.nvim_get_current_buf()
  local client = clients.of(buffer)
  if is_paused or not client or not inserting() or popup_open() then
    return
  end
  cancel()
  local params = position.at_cursor(client.offset_encoding)
  params.context = { triggerKind = kind }
  local before, request = moment(), { client = client }
  last = { moment = before, kind = kind }
  request.id = clients.request(client, METHOD, params, buffer, function(problem, result)
    if asked ~= request then
      return
    end
    asked = nil
    local current = inserting() and not popup_open() and vim.deep_equal(before, moment())
    if not problem and result and current then
      show(result.items or result, client)
    end
  end)
  asked = request.id and request
end

-- Ask now, also where ghost text does not come by itself.
function M.request()
  ask(INVOKED)
end

-- Ask what was asked last, if nothing was typed, moved or shown since.
function M.ask_again()
  if last and not shown and not asked and vim.deep_equal(last.moment, moment()) then
    ask(last.kind)
  end
end

local function ask_after_a_pause()
  cancel()
  local number = newest_timer
  vim.defer_fn(function()
    if number == newest_timer then
      ask(AUTOMATIC)
    end
  end, debounce_ms)
end

-- After every key: what was typed through stays, and nothing is asked meanwhile. One key may come as
-- two events.
local function follow()
  local now = moment()
  if vim.deep_equal(seen, now) then
    return
  end
  local changed = seen[1] ~= now[1] or seen[2] ~= now[2]
  seen = now
  local text = not popup_open() and rest()
  if text then
    draw(text)
    return
  end
  M.dismiss()
  if changed and clients.of(now[1]) then
    ask_after_a_pause()
  end
end

function M.visible()
  return shown ~= nil
end

-- Undo takes back what was accepted, and leaves what was typed before it.
local function begin_undo_step()
  vim.cmd('let &g:undolevels = &g:undolevels')
end

local function insert(text, tail)
  local row, column = here()
  local lines = vim.split(text, '\n', { plain = true })
  begin_undo_step()
  vim.api.nvim_buf_set_text(0, row, column, row, column + #tail, lines)
  local last = #lines == 1 and column + #text or #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines, last })
end

-- Insert what `part(rest)` returns of the rest; true if there was something to accept.
local function accept(part)
  local text = rest()
  if not text then
    forget()
    return false
  end
  local piece = part(text)
  local whole = #piece == #text
  insert(piece, whole and shown.tail or '')
  if whole then
    run_command()
    M.dismiss()
  else
    shown.below = lines_below(here())
    local left, whole_text = rest(), shown.texts[shown.index]
    local taken = position.units(whole_text, #whole_text - #left, 'utf-16')
    tell('didPartiallyAcceptCompletion', { acceptedLength = taken })
    draw(left)
  end
  return true
end

function M.accept()
  return accept(function(text)
    return text
  end)
end

-- Blanks and the word behind them, or the punctuation; bytes of other scripts belong to words.
function M.accept_word()
  return accept(function(text)
    return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w_%s\128-\255]+') or text
  end)
end

-- Up to the end of the line; where the cursor is there already, the whole next one.
function M.accept_line()
  return accept(function(text)
    return text:match('^\n?[^\n]*')
  end)
end

local function cycle(step)
  if rest() then
    shown.index = (shown.index - 1 + step) % #shown.texts + 1
    draw(rest())
    tell('didShowCompletion')
  end
end

function M.next()
  cycle(1)
end

function M.previous()
  cycle(-1)
end

function M.pause(paused)
  is_paused = paused
  if paused then
    M.dismiss()
  end
end

function M.paused()
  return is_paused
end

-- What a key does where no ghost text is shown: what it did before, as the <Tab> of Neovim 0.11 that
-- jumps through a snippet, or else itself. A mapping of the buffer that is current now is not for all.
local function as_before(key)
  local before = vim.fn.maparg(key, 'i', false, true)
  if before.callback and before.replace_keycodes == 1 and before.buffer ~= 1 then
    return before.callback
  end
  return function()
    return key
  end
end

local function map(key, name)
  local otherwise = as_before(key)
  vim.keymap.set('i', key, function()
    if not M.visible() then
      return otherwise()
    end
    return ('<Cmd>lua require("lancefill.ghost").%s()<CR>'):format(name)
  end, { expr = true, desc = 'Lancefill: ' .. name:gsub('_', ' ') })
end

function M.enable(options)
  debounce_ms = options.debounce_ms
  vim.api.nvim_set_hl(0, 'LancefillGhost', { link = 'Comment', default = true })
  local group = vim.api.nvim_create_augroup('lancefill.ghost', {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on({ 'InsertEnter' }, function()
    seen = {}
    follow()
  end)
  on({ 'TextChangedI', 'TextChangedP', 'CursorMovedI' }, follow)
  on({ 'InsertLeave', 'BufLeave', 'CompleteChanged' }, M.dismiss)
  if options.keys then
    local keys = vim.tbl_extend('force', M.KEYS, options.keys == true and {} or options.keys)
    for name, key in pairs(keys) do
      if key then
        map(key, name)
      end
    end
  end
end

return M
