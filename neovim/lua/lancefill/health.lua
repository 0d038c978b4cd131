-- `:checkhealth lancefill`.

local clients = require('lancefill.client')
local lancefill = require('lancefill')

local M = {}

local health = vim.health or require('health')
local start = health.start or health.report_start
local ok = health.ok or health.report_ok
local warn = health.warn or health.report_warn
local problem = health.error or health.report_error

local function check_program()
  local program = lancefill.options.cmd[1]
  if vim.fn.executable(program) == 0 then
    problem(('"%s" is not executable'):format(program), {
      'Install Lancefill, or give its full path: require("lancefill").setup{ cmd = … }',
    })
    return
  end
  local version = vim.trim(vim.fn.system({ program, '--version' }))
  if vim.v.shell_error ~= 0 then
    problem(('"%s --version" fails: %s'):format(program, version), { 'Try it in a terminal.' })
    return
  end
  ok(('%s (%s)'):format(version, vim.fn.exepath(program)))
end

local function check_ghost_text()
  if vim.lsp.inline_completion then
    ok('Ghost text: vim.lsp.inline_completion is there')
  elseif package.loaded['lancefill.ghost'] then
    ok('Ghost text: drawn by lancefill.ghost')
  else
    warn('Ghost text: this Neovim has none of its own', { 'require("lancefill").setup{}' })
  end
end

local function check_servers()
  local running = clients.all()
  if #running == 0 then
    warn('No server runs', { 'It starts with the first file in ' .. table.concat(
      lancefill.options.filetypes, ', ') })
  end
  for _, client in ipairs(running) do
    local status = lancefill.said_by(client.id).status
    local report = status and status.kind == 'Warning' and warn or ok
    local message = status and status.message or 'starting'
    report(('%s: %s'):format(client.config.root_dir or 'no folder', message))
  end
end

function M.check()
  start('lancefill')
  check_program()
  check_ghost_text()
  check_servers()
end

return M
