"""Resolution with the installed packages in view: what is remembered of it, and read ahead."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from indexing.installed import Installed
from indexing.layouts import Layouts
from indexing.resolve import Memo, Resolver, Target

MOST_AHEAD = 256
"""Of so many of a file's imported names the packages are read before anybody asks."""


class Wide:
    """The installed packages, and what was resolved with them in view."""

    def __init__(self, packages: Installed, memo: Memo | None = None) -> None:
        self.packages = packages
        self._memo = memo or Memo()
        self._generation = packages.generation

    def current(self) -> Memo:
        """What was resolved, as far as the packages are still the same."""
        if self._generation != self.packages.generation:
            self._memo, self._generation = Memo(), self.packages.generation
        return self._memo

    def kept(self) -> Wide:
        """With what depends on the packages alone: they know nothing of the repository."""
        before, owns = self.current(), self.packages.owns
        memo = Memo(
            tables={path: each for path, each in before.tables.items() if owns(path)},
            names={key: each for key, each in before.names.items() if owns(key[0])},
            bindings={path: each for path, each in before.bindings.items() if owns(path)},
            orders={key: each for key, each in before.orders.items() if owns(key.path or "")},
            aliases={key: each for key, each in before.aliases.items() if owns(key.path or "")},
        )
        return Wide(self.packages, memo)


def read_ahead(packages: Installed, imported: Iterable[Target]) -> None:
    """Let the reading thread read what the ``imported`` names and their base classes are."""
    packages.refresh()
    wanted = [each for each in imported if each.path is None][:MOST_AHEAD]
    found = [(path, each.qualname) for each in wanted if (path := packages.find(each.module))]
    if found:
        packages.soon(lambda: _read(packages, found))


def _read(packages: Installed, wanted: Iterable[tuple[str, str]]) -> None:
    """Resolve apart from all others, whose memory a thread would disturb."""
    layouts = Layouts(Path(), frozenset()).widened(packages)
    resolver = Resolver(layouts, packages.symbols, Memo())
    for path, qualname in wanted:
        module = Target(path, "", resolver.module_name(path))
        first, _, rest = qualname.partition(".")
        found = resolver.attribute(path, first) if first else module
        if found is not None and rest:
            found = resolver.expression(found.path or "", "", qualname)
        if found is None or found.path is None:
            continue
        found = resolver.chase(found)
        resolver.mro(found) if found.qualname else resolver.bindings(found.path or "")
