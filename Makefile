# Lancefill's two commands are `make run` and `make test`; `make help` lists the rest.

PYTHON ?= python3.11
REPO ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
EXTENSION := vscode-extension
BUNDLED := $(EXTENSION)/bundled

.DEFAULT_GOAL := help
.PHONY: help run test e2e e2e-figures eval vsix clean python neovim extension

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run REPO=path/to/your/repository   the same on your own code"
	@echo "  PYTHON=/path/to/python3.11              another interpreter (default: python3.11)"

run: $(VENV)/.installed ## complete code in a real repository, here, through the language server
	@$(BIN)/lancefill demo $(if $(REPO),--repo "$(REPO:~/%=$(HOME)/%)")

test: python extension ## lint, types, unit, property and end-to-end tests, extension checks

eval: $(VENV)/.installed ## measure quality and latency (minutes; not part of the tests)
	$(BIN)/lancefill eval apieval
	$(BIN)/lancefill eval ghost
	$(BIN)/lancefill eval latency

python: $(VENV)/.dev neovim
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

# The console script `pytest`, not `python -m pytest`: the latter puts the checkout first on sys.path.

extension: # needs Node 20.19 or later; without it the Python side is still tested
	@if node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then \
		$(MAKE) --no-print-directory $(EXTENSION)/node_modules/.installed && npm --prefix $(EXTENSION) run --silent check; \
	else \
		echo "SKIPPED: the VS Code extension's checks (they need Node 20.19 or later)"; \
	fi

# The tools of the window tests (a VS Code in npm packages, Chromium from Debian) lie beside the checkout's
# other builds; the first run takes some minutes more.
e2e: $(VENV)/.installed vsix ## drive the extension in a real VS Code window, keep the screenshots
	$(EXTENSION)/e2e/setup.sh $(EXTENSION)/.e2e
	node $(EXTENSION)/e2e/window.mjs $(call window,screenshots)

e2e-figures: $(VENV)/.installed vsix ## measure the extension in that window (minutes, on an idle machine)
	$(EXTENSION)/e2e/setup.sh $(EXTENSION)/.e2e
	node $(EXTENSION)/e2e/measure.mjs $(call window,figures)

# Tools, repository, server, extension, and the folder for what comes out.
window = $(EXTENSION)/.e2e "$$($(BIN)/python -c 'from evaluation.repositories import fetch; print(fetch("httpx"))')" \
	$(BIN)/lancefill $(EXTENSION)/lancefill.vsix $(EXTENSION)/.e2e/$(1)

vsix: $(EXTENSION)/node_modules/.installed ## package the VS Code extension
	@rm -rf $(BUNDLED) && mkdir $(BUNDLED) && cp constraints.txt $(BUNDLED)
	@$(BIN)/python -c 'import hatchling' 2>/dev/null \
		&& $(BIN)/python -m hatchling build -t wheel -d $(BUNDLED) \
		|| echo "Without the server in it: that needs $(VENV) (make run)"
	npm --prefix $(EXTENSION) run --silent package
	@echo "Now: code --install-extension $$(ls $(EXTENSION)/*.vsix)"
	@echo 'and to use this checkout, in the settings: "lancefill.path": "$(CURDIR)/$(BIN)/lancefill"'

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf $(EXTENSION)/node_modules $(EXTENSION)/out $(EXTENSION)/dist $(EXTENSION)/.e2e $(BUNDLED) $(EXTENSION)/*.vsix

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Lancefill needs Python 3.11 or later with venv, and '$(PYTHON)' is not one." >&2; \
		echo "Install it (Debian: apt install python3.11-venv) or name one: make run PYTHON=/path/to/python" >&2; \
		exit 1; }
	@echo "Installing Lancefill into $(VENV) (once; a minute or two, most of it torch)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --upgrade pip hatchling editables
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --group dev
	@touch $@

neovim: # the end-to-end tests drive Debian's Neovim, one in tmux; where there is none, they say so and are skipped
	@{ command -v nvim && command -v tmux; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends neovim tmux; } \
		|| echo "Neovim or tmux is missing and could not be installed: tests that need it will be skipped"

$(EXTENSION)/node_modules/.installed: $(EXTENSION)/package.json $(EXTENSION)/package-lock.json
	@command -v npm >/dev/null || { echo "The VS Code extension needs Node 20.19 or later with npm." >&2; exit 1; }
	cd $(EXTENSION) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
