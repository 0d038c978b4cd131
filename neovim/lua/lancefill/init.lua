-- Starts the language server and keeps what it says of itself.
--
--   require('lancefill').setup{}       -- Neovim 0.7 and later
--   vim.lsp.enable('lancefill')        -- 0.11 and later; setup{} is not needed then

local clients = require('lancefill.client')

local M = {}

M.defaults = {
  cmd = { 'lancefill', 'serve', '--stdio' },
  filetypes = {
    'python', 'java', 'javascript', 'javascriptreact', 'typescript', 'typescriptreact',
  },
  root_markers = { 'pyproject.toml', 'setup.py', '.git' },
  settings = { lancefill = vim.empty_dict() },
  capabilities = {},
  -- Popups on <C-x><C-o>; switch off where a completion plugin asks the server itself.
  omnifunc = true,
  -- Our ghost text: on where Neovim has none of its own. `keys` is `true` or a table over the defaults.
  ghost = { enabled = vim.lsp.inline_completion == nil, debounce_ms = 75, keys = false },
}

M.options = M.defaults

-- Words of one client's server: { status = {kind, message, busy}, reason = {feature, code, message},
-- too_early }, the last for ghost text that was asked for while the model was loading.
local said = {}

-- Clients that `attach` started: their configuration is what the options say now. Those of
-- vim.lsp.enable keep their own.
local started = {}

-- What ended clients of other configurations served, for `restart`: {config, buffers} by id.
local ended = {}
local is_set_up = false

-- An inherited PYTHONPATH may name folders that are called as ours are; empty is as good as unset.
local ENVIRONMENT = { PYTHONPATH = '', PYTHONHOME = '', PYTHONUTF8 = '1' }

-- Reasons that are the way of typing, not worth a word.
local PASSING = { superseded = true, cancelled = true }

-- Ghost text that was asked for too early comes, once, when the model is there; the status is no sign of
-- that, as it is also busy while files are indexed.
local function ask_again(id)
  local ghost, client, words = package.loaded['lancefill.ghost'], vim.lsp.get_client_by_id(id), M.said_by(id)
  if not ghost or not client or not words.too_early then
    return
  end
  local buffer = vim.api.nvim_get_current_buf()
  clients.request(client, 'lancefill/status', vim.empty_dict(), buffer, function(_, report)
    if words.too_early and report and report.model == 'ready' then
      words.too_early = false
      ghost.ask_again()
    end
  end)
end

-- Neovim shows nothing of it by itself, and says so in its log: it is ours to keep.
local handlers = {
  didChangeStatus = function(_, status, context)
    M.said_by(context.client_id).status = status
    ask_again(context.client_id)
    vim.cmd('redrawstatus')
  end,
  ['lancefill/reason'] = function(_, reason, context)
    local words = M.said_by(context.client_id)
    if reason.feature == 'ghost' then
      words.too_early = reason.code == 'model-loading'
    end
    if not PASSING[reason.code] then
      words.reason = reason
    end
  end,
}

-- In time before `client` forgets it; also called where the API must not be.
local function remember(client)
  if client and not started[client.id] and not ended[client.id] then
    ended[client.id] = { config = client.config, buffers = vim.tbl_keys(client.attached_buffers) }
  end
end

function M.said_by(id)
  said[id] = said[id] or {}
  return said[id]
end

-- What `vim.lsp.config` and `vim.lsp.start` want.
function M.client_config()
  local options = M.options
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.textDocument.inlineCompletion = { dynamicRegistration = false }
  capabilities.workspace.configuration = true -- 0.7 answers such questions, and does not say so
  return {
    name = clients.NAME,
    cmd = options.cmd,
    cmd_env = ENVIRONMENT,
    filetypes = options.filetypes,
    root_markers = options.root_markers,
    settings = options.settings,
    capabilities = vim.tbl_deep_extend('force', capabilities, options.capabilities),
    handlers = handlers,
    on_exit = function(_, _, id)
      remember(vim.lsp.get_client_by_id(id))
      said[id], started[id] = nil, nil
    end,
  }
end

local function exists(path)
  return vim.loop.fs_stat(path) ~= nil
end

-- `path`'s folder and those above it, nearest first.
local function folders(path)
  local found, folder = {}, vim.fn.fnamemodify(path, ':h')
  while folder ~= found[#found] do
    table.insert(found, folder)
    folder = vim.fn.fnamemodify(folder, ':h')
  end
  return found
end

-- The workspace of a file: the nearest folder with the first marker that any has, else the current
-- folder where the file is in it, else the file's own. Never the home folder for want of better.
function M.root(path)
  local above = folders(path)
  for _, marker in ipairs(M.options.root_markers) do
    for _, folder in ipairs(above) do
      if exists(folder .. '/' .. marker) then
        return folder
      end
    end
  end
  local current = vim.fn.getcwd()
  local is_home = current == vim.loop.os_homedir()
  return not is_home and vim.tbl_contains(above, current) and current or above[1]
end

local told_missing = false

local function can_start()
  local program = M.options.cmd[1]
  if vim.fn.executable(program) == 1 then
    return true
  end
  if not told_missing then
    told_missing = true
    local message = 'Lancefill: "%s" is not executable; give setup{ cmd = … } its full path'
    vim.notify(message:format(program), vim.log.levels.WARN)
  end
  return false
end

-- Serve a buffer, where it shows a file in a language that Lancefill reads; returns the client's id, or
-- nil.
function M.attach(buffer)
  local path = vim.api.nvim_buf_get_name(buffer)
  local wanted = vim.tbl_contains(M.options.filetypes, vim.bo[buffer].filetype)
  if not wanted or path == '' or path:find('^%a+://') or vim.bo[buffer].buftype ~= '' then
    return
  end
  if can_start() then
    local config = vim.tbl_extend('force', M.client_config(), {
      root_dir = M.root(path),
      on_attach = M.options.omnifunc and require('lancefill.popup').enable or nil,
    })
    local id = clients.start(config, buffer)
    if id then
      started[id] = true
    end
    return id
  end
end

-- Call `serve` with those of the buffers that are open; true if it returned a client's id for any.
local function serve_all(buffers, serve)
  local any = false
  for _, buffer in ipairs(buffers) do
    if vim.api.nvim_buf_is_loaded(buffer) then
      any = serve(buffer) ~= nil or any
    end
  end
  return any
end

local function attach_all()
  return serve_all(vim.api.nvim_list_bufs(), M.attach)
end

function M.setup(options)
  M.options = vim.tbl_deep_extend('force', M.defaults, options or {})
  is_set_up = true
  local group = vim.api.nvim_create_augroup('lancefill', {})
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(event)
      M.attach(event.buf)
    end,
  })
  if M.options.ghost.enabled then
    require('lancefill.ghost').enable(M.options.ghost)
  end
  attach_all()
end

local function all_end(milliseconds)
  return vim.wait(milliseconds, function()
    return #clients.all() == 0
  end, 20)
end

-- End all clients; only then are new ones started, for `vim.lsp.start` takes up those of the same root.
local function stop_all()
  for _, client in ipairs(clients.all()) do
    remember(client)
    clients.stop(client)
  end
  if not all_end(5000) then
    for _, client in ipairs(clients.all()) do
      clients.kill(client)
    end
    all_end(2000)
  end
end

-- Start servers anew for the buffers that were served, also by those that have died; true if any is.
local function start_all()
  told_missing = false
  local any = is_set_up and attach_all()
  local others = ended
  ended = {}
  for _, other in pairs(others) do
    any = serve_all(other.buffers, function(buffer)
      return clients.start(other.config, buffer)
    end) or any
  end
  return any
end

-- End all servers, and start them again for the buffers that are open.
function M.restart()
  stop_all()
  if not start_all() then
    local message = 'Lancefill: no open buffer to start a server for (:checkhealth lancefill)'
    vim.notify(message, vim.log.levels.WARN)
  end
end

-- One line for a statusline; empty in buffers that Lancefill does not serve.
function M.status(buffer)
  local client = clients.all(buffer or vim.api.nvim_get_current_buf())[1]
  if not client then
    return ''
  end
  if package.loaded['lancefill.ghost'] and require('lancefill.ghost').paused() then
    return 'Lancefill: paused'
  end
  local status = M.said_by(client.id).status
  return 'Lancefill: ' .. (status and status.message or 'starting')
end

-- Why the last request ended with nothing, or nil.
function M.reason(buffer)
  local client = clients.all(buffer or vim.api.nvim_get_current_buf())[1]
  return client and M.said_by(client.id).reason
end

return M
