if vim.g.loaded_lancefill then
  return
end
vim.g.loaded_lancefill = true

vim.api.nvim_create_user_command('Lancefill', function(command)
  require('lancefill.commands').run(command.fargs)
end, {
  nargs = '*',
  desc = 'Lancefill: status, restart, log, explain, ask, pause, resume',
  complete = function(typed, line)
    return require('lancefill.commands').complete(typed, line)
  end,
})
