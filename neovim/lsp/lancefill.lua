-- Neovim 0.11 and later: `vim.lsp.enable('lancefill')`.
return require('lancefill').client_config()
