-- What Neovim's LSP client calls differently from 0.7 to 0.12, in one place.

local M = {}

M.NAME = 'lancefill'

-- Of the clients' functions, 0.11 made methods.
local methods = vim.fn.has('nvim-0.11') == 1

local function call(client, name, ...)
  if methods then
    return client[name](client, ...)
  end
  return client[name](...)
end

-- Lancefill's clients of a buffer, or of all buffers.
function M.all(buffer)
  local clients
  if vim.lsp.get_clients then
    clients = vim.lsp.get_clients({ bufnr = buffer, name = M.NAME })
  elseif buffer then
    clients = vim.tbl_values(vim.lsp.buf_get_clients(buffer))
  else
    clients = vim.lsp.get_active_clients()
  end
  return vim.tbl_filter(function(client)
    return client.name == M.NAME
  end, clients)
end

-- The buffer's client that has been greeted by its server, or nil.
function M.of(buffer)
  for _, client in ipairs(M.all(buffer)) do
    if client.initialized then
      return client
    end
  end
end

-- Returns the request's id, or nil where the client has ended. `handler(problem, result)`.
function M.request(client, method, params, buffer, handler)
  local sent, id = call(client, 'request', method, params, function(problem, result)
    handler(problem, result)
  end, buffer)
  return sent and id or nil
end

function M.cancel(client, id)
  if not M.stopped(client) then
    call(client, 'cancel_request', id)
  end
end

function M.notify(client, method, params)
  call(client, 'notify', method, params)
end

function M.stopped(client)
  return call(client, 'is_stopped')
end

function M.stop(client)
  call(client, 'stop')
end

-- End the server's process; 0.11 does not let `stop` do that once it has been asked to shut down.
function M.kill(client)
  if client.rpc.terminate then
    client.rpc.terminate()
  else
    vim.lsp.stop_client(client.id, true)
  end
end

-- Start a client, or take the one of the same root, and attach the buffer; returns its id, or nil.
function M.start(config, buffer)
  if vim.lsp.start then
    return vim.lsp.start(config, { bufnr = buffer })
  end
  local id
  for _, client in ipairs(M.all()) do
    if client.config.root_dir == config.root_dir and not M.stopped(client) then
      id = client.id
    end
  end
  id = id or vim.lsp.start_client(config)
  if id then
    vim.lsp.buf_attach_client(buffer, id)
  end
  return id
end

function M.log_path()
  return vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename()
    or vim.lsp.get_log_path()
end

return M
