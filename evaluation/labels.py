"""Which calls are calls of the repository's own APIs: the ground truth of APIEval for Python.

A call counts when every resolver, reading the UNCUT files, follows its callee to the same ``def``
or ``class`` file, another one of the repository: opinions independent of our own index and
resolver, which are what is being measured. Calls that one of them cannot resolve are missing: the
figures say nothing about those.
"""

from __future__ import annotations

import ast
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from evaluation import cuts
from evaluation.cuts import Site
from evaluation.items import ApiItem, Shape, Stratum
from evaluation.resolvers import Resolver
from evaluation.syntax import parsed
from indexing.apis import comment_above

PER_FILE = 4
"""At most this many items of each shape come from one file; as many rounds of indexing follow."""


Fits = Callable[[bytes, Site], bool]
"""Whether a site may become an item."""


def any_site(_data: bytes, _site: Site) -> bool:
    """Every call."""
    return True


def under_comment(data: bytes, site: Site) -> bool:
    """Whether the statement of the call stands directly under a comment of four words or more."""
    if site.statement is None:
        return False
    line = cuts.line_start(data, site.statement)
    only_indented = not data[line : site.statement].strip()
    return only_indented and len(comment_above(data, line).split()) >= 4


@dataclass(frozen=True, slots=True)
class Source:
    """A file to draw items from, with what its syntax says about names."""

    path: str
    data: bytes
    imported: frozenset[str]
    functions: tuple[tuple[int, int, frozenset[str]], ...]

    def parameters(self, offset: int) -> frozenset[str]:
        """The parameters of the functions around a byte offset."""
        line = self.data.count(b"\n", 0, offset) + 1
        around = [names for first, last, names in self.functions if first <= line <= last]
        return frozenset().union(*around)


async def api_items(
    repository: str,
    files: Mapping[str, bytes],
    resolvers: Sequence[Resolver],
    counts: Mapping[Shape, int],
    seed: int,
    fits: Fits = any_site,
) -> AsyncIterator[ApiItem]:
    """Yield up to ``counts[shape]`` items of each shape, in an order drawn by ``seed``.

    Only sites that ``fits`` are looked at.
    """
    drawn = random.Random(seed)
    paths = sorted(files)
    drawn.shuffle(paths)
    defined = definitions(files)
    missing = Counter(counts)
    for path in paths:
        if missing.total() <= 0:
            return
        source = read_source(path, files[path])
        sites = [site for site in cuts.sites(source.data) if fits(source.data, site)]
        drawn.shuffle(sites)
        async for item in _from_file(repository, source, sites, defined, resolvers, missing):
            missing[item.shape] -= 1
            yield item


def definitions(files: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """Return for every function, method and class name the files that define it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, data in files.items():
        for node in _nodes(data):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[node.name].add(path)
    return {name: frozenset(paths) for name, paths in found.items()}


def read_source(path: str, data: bytes) -> Source:
    """Return a file with the names that its imports and its functions' parameters bind."""
    nodes = _nodes(data)
    imported = frozenset(
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    functions = tuple(
        (node.lineno, node.end_lineno or node.lineno, _parameters(node.args))
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )
    return Source(path, data, imported, functions)


def _parameters(arguments: ast.arguments) -> frozenset[str]:
    plain = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    starred = (each for each in (arguments.vararg, arguments.kwarg) if each is not None)
    return frozenset(each.arg for each in (*plain, *starred))


def _nodes(data: bytes) -> list[ast.AST]:
    source = parsed(data)
    return [] if source is None else list(ast.walk(source.tree))


def stratum(receiver: str, imported: Container[str], parameters: Container[str]) -> Stratum:
    """Return the form of a receiver's source, given the names that are bound around it."""
    if receiver in ("self", "cls", "super()"):
        return Stratum.SELF
    if receiver.isidentifier():
        if receiver in parameters:
            return Stratum.PARAMETER
        return Stratum.IMPORTED if receiver in imported else Stratum.VARIABLE
    if receiver.endswith(")"):
        return Stratum.CALL
    return Stratum.ATTRIBUTE if receiver.replace(".", "").isidentifier() else Stratum.OTHER


async def _from_file(
    repository: str,
    source: Source,
    sites: Sequence[Site],
    defined: Mapping[str, frozenset[str]],
    resolvers: Sequence[Resolver],
    missing: Mapping[Shape, int],
) -> AsyncIterator[ApiItem]:
    """Yield one file's items; resolvers are asked only about names that another file defines."""
    lines: set[int] = set()
    left = {shape: min(PER_FILE, missing[shape]) for shape in Shape}
    for site in sites:
        shape = Shape.BARE if site.receiver is None else Shape.MEMBER
        elsewhere = defined.get(_text(source.data, site.name), frozenset()) - {source.path}
        line = cuts.line_start(source.data, site.name[0])
        if not elsewhere or line in lines or left[shape] <= 0:
            continue
        agreed = await _agreed(resolvers, source.path, site.name[0], elsewhere)
        if agreed:
            lines.add(line)
            left[shape] -= 1
            yield _item(repository, source, site, agreed, tuple(each.name for each in resolvers))


async def _agreed(
    resolvers: Sequence[Resolver], path: str, offset: int, elsewhere: frozenset[str]
) -> frozenset[str]:
    """The files that all resolvers name; none where one of them names anything else."""
    agreed = elsewhere
    for resolver in resolvers:
        files = await resolver.files(path, offset)
        if not files or not files <= elsewhere:
            return frozenset()
        agreed &= files
    return agreed


def _item(
    repository: str,
    source: Source,
    site: Site,
    agreed: frozenset[str],
    resolvers: tuple[str, ...],
) -> ApiItem:
    name = _text(source.data, site.name)
    receiver = "" if site.receiver is None else _text(source.data, site.receiver)
    first = (receiver or name).partition(".")[0].partition("(")[0]
    imported = first in source.imported
    if site.receiver is None:
        form = Stratum.IMPORTED if imported else Stratum.NOT_IMPORTED
    else:
        form = stratum(receiver, source.imported, source.parameters(site.name[0]))
    offset = site.name[0]
    return ApiItem(
        repository=repository,
        language="python",
        path=source.path,
        offset=offset,
        name=name,
        shape=Shape.BARE if site.receiver is None else Shape.MEMBER,
        receiver=receiver,
        stratum=form,
        imported=imported,
        defined=tuple(sorted(agreed)),
        resolvers=resolvers,
        rest=source.data[offset : cuts.line_end(source.data, offset)].decode("utf-8", "replace"),
    )


def _text(data: bytes, span: tuple[int, int]) -> str:
    return data[slice(*span)].decode("utf-8", "replace")
