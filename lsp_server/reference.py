"""The settings reference, from the settings themselves.

``python -m lsp_server.reference > docs/settings.md`` writes it; a test says when that is due.
"""

from __future__ import annotations

import json
import sys

from lsp_server.settings import SECTION, Entry, table

_HEAD = f"""\
# Settings

<!-- Written by `python -m lsp_server.reference`; change `lsp_server/settings.py` instead. -->

All of them are under `{SECTION}`: in VS Code's settings, or in the settings that another client
sends. They can be given as `initializationOptions` too, and are taken up while the server runs. One
that is unknown or has a wrong type or value costs a warning in the log and keeps the value that it
had.
"""
_TAIL = f"""\
## In VS Code alone

`{SECTION}.path` (string, default `""`): {{path}}

## Environment variables

- `LANCEFILL_CACHE`: the folder of indexes, adapters and counts; by default in the user's cache
  folder.
- `LANCEFILL_DATA`: the folder of models that were added; by default in the user's data folder.
- `LANCEFILL_LOG`: how much the server logs: `error`, `warning`, `info` (the default) or `debug`;
  never source code.
"""
PATH = "Path of the `lancefill` executable. Empty: the one on `PATH`."
"""What VS Code says of the one setting that its side reads."""


def markdown() -> str:
    """The whole page."""
    return "\n".join((_HEAD, *(_section(entry) for entry in table()), _TAIL.format(path=PATH)))


def _section(entry: Entry) -> str:
    facts = [entry.type if entry.type != "array" else "array of strings"]
    rule, default = entry.rule, json.dumps(entry.default)
    if rule.choices:
        facts.append("one of " + ", ".join(f"`{json.dumps(choice)}`" for choice in rule.choices))
    if rule.minimum is not None and rule.maximum is not None:
        facts.append(f"{rule.minimum:g} to {rule.maximum:g}")
    return f"""\
## {SECTION}.{entry.name}

{rule.help}

- Type: {", ".join(facts)}
- Default: `{default}`
"""


if __name__ == "__main__":
    sys.stdout.write(markdown())
