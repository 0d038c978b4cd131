"""``python -I -X utf8 -m lsp_server --stdio``: the language server."""

import sys

from lsp_server.server import main

if __name__ == "__main__":
    sys.exit(main())
