-- `:Lancefill WORD …`.

local clients = require('lancefill.client')
local lancefill = require('lancefill')
local position = require('lancefill.position')

local M = {}

local function say(message, level)
  vim.notify(message, level or vim.log.levels.INFO)
end

-- The buffer's client; where there is none, that is said and nil returned.
local function served()
  local client = clients.of(vim.api.nvim_get_current_buf())
  if not client then
    say('Lancefill does not serve this buffer (:checkhealth lancefill)', vim.log.levels.WARN)
  end
  return client
end

-- A handler that shows what went wrong, and hands on what did not.
local function shown(use)
  return function(problem, result)
    if problem then
      say('Lancefill: ' .. (problem.message or vim.inspect(problem)), vim.log.levels.ERROR)
    else
      use(result)
    end
  end
end

local function scratch(lines)
  vim.cmd('botright new')
  vim.bo.buftype, vim.bo.bufhidden, vim.bo.swapfile = 'nofile', 'wipe', false
  vim.api.nvim_buf_set_lines(0, 0, -1, true, lines)
  vim.bo.modifiable = false
end

-- The line of a byte offset, from 1; 1 where the file cannot be read.
local function line_of(path, offset)
  local file = io.open(path, 'rb')
  if not file then
    return 1
  end
  local before = file:read(offset) or ''
  file:close()
  return 1 + select(2, before:gsub('\n', ''))
end

local function list(query, answers)
  if #answers == 0 then
    say('Lancefill: nothing in this repository fits "' .. query .. '"')
    return
  end
  local items = vim.tbl_map(function(answer)
    local path = vim.uri_to_fname(answer.uri)
    return { filename = path, lnum = line_of(path, answer.offset), text = answer.signature }
  end, answers)
  vim.fn.setqflist({}, ' ', { title = 'Lancefill: ' .. query, items = items })
  vim.cmd('botright copen')
  vim.cmd('setlocal nowrap') -- one answer a line, however long its signature
end

local words = {}

function words.status()
  local line, reason = lancefill.status(), lancefill.reason()
  if line == '' then
    line = 'Lancefill does not serve this buffer (:checkhealth lancefill)'
  end
  say(reason and ('%s\nlast %s: %s'):format(line, reason.feature, reason.message) or line)
end

function words.restart()
  lancefill.restart()
end

function words.log()
  vim.cmd('tabedit ' .. vim.fn.fnameescape(clients.log_path()))
end

function words.explain()
  local client = served()
  if client then
    local params = position.at_cursor(client.offset_encoding)
    local show = shown(function(result)
      scratch(vim.split(vim.inspect(result), '\n', { plain = true }))
    end)
    clients.request(client, 'lancefill/explain', params, vim.api.nvim_get_current_buf(), show)
  end
end

function words.ask(query)
  local client = served()
  if query == '' then
    say('Lancefill: ask what? (:Lancefill ask parse a date)', vim.log.levels.WARN)
  elseif client then
    local question = { query = query, textDocument = { uri = vim.uri_from_bufnr(0) } }
    local params = { command = 'lancefill.ask', arguments = { question } }
    local show = shown(function(answers)
      list(query, answers)
    end)
    local buffer = vim.api.nvim_get_current_buf()
    clients.request(client, 'workspace/executeCommand', params, buffer, show)
  end
end

-- Whether Neovim's own ghost text was on when it was paused.
local own_was_on = false

local function pause(paused)
  require('lancefill.ghost').pause(paused)
  local own = vim.lsp.inline_completion
  if own and paused then
    own_was_on = own_was_on or own.is_enabled() or own.is_enabled({ bufnr = 0 })
    own.enable(false)
  elseif own_was_on then
    own_was_on = false
    own.enable(true)
  end
end

function words.pause()
  pause(true)
end

function words.resume()
  pause(false)
end

function M.run(arguments)
  local word = arguments[1] or 'status'
  if not words[word] then
    local known = table.concat(M.complete('', 'Lancefill '), ', ')
    say(('Lancefill: no command "%s"; there are %s'):format(word, known), vim.log.levels.ERROR)
    return
  end
  words[word](table.concat(arguments, ' ', 2))
end

function M.complete(typed, line)
  if line:find('^%S+%s+%S+%s') then
    return {}
  end
  local found = vim.tbl_filter(function(word)
    return vim.startswith(word, typed)
  end, vim.tbl_keys(words))
  table.sort(found)
  return found
end

return M
