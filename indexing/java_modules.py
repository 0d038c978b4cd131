"""Java: which file declares a class. A package is what the files themselves say they are in.

The layout narrows the search: a file of the package ``a.b`` lies in a folder that ends in ``a/b``,
or beside the file that asks. Several folders (``src/main/java``, ``src/test/java``) may hold one
package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from indexing.languages.java import PACKAGE
from indexing.modules import folder_of
from indexing.symbols import FileSymbols, Import, Kind

Files = Mapping[str, tuple[str, ...]]


def folders_by_name(paths: frozenset[str]) -> Files:
    """The files of each folder (key ``a/b/``), and the folders of each last name (key ``b``)."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        folder = folder_of(path)
        if folder + "/" not in found:
            found.setdefault(folder.rpartition("/")[2], []).append(folder)
        found.setdefault(folder + "/", []).append(path)
    return {key: tuple(values) for key, values in found.items()}


@dataclass(frozen=True, slots=True)
class JavaModules:
    """The packages of a set of files; ``packages`` remembers the classes of each, with its files.

    ``files`` comes from `folders_by_name`, ``symbols`` gives what a file says.
    """

    files: Files
    symbols: Callable[[str], FileSymbols | None]
    packages: dict[str, Mapping[str, str]]

    def module_name(self, path: str) -> str:
        """The package that a file declares; empty for the unnamed one."""
        symbols = self.symbols(path)
        imports = symbols.imports if symbols else ()
        return next((each.module for each in imports if each.scope == PACKAGE), "")

    def bound(self, imported: Import) -> str:
        """The module as written: no import of Java binds a package."""
        return imported.module

    def base(self, _importer: str, imported: Import) -> tuple[str, str] | None:
        """The file of the class that an import names, or the class that the name is in."""
        name, package = imported.name or "", imported.module
        file = self.classes(package).get(name)
        if file is not None:
            return file, ""
        inner = ""
        while package:
            package, _, last = package.rpartition(".")
            inner = f"{last}.{inner}" if inner else last
            file = self.classes(package).get(inner.partition(".")[0])
            if file is not None:
                return file, inner
        return None

    def classes(self, package: str) -> Mapping[str, str]:
        """The top-level classes of a package and their files; the first file in order wins."""
        known = self.packages.get(package)
        if known is None:
            found: dict[str, str] = {}
            for path in self._candidates(package):
                for name in self._declared(path, package):
                    found.setdefault(name, path)
            known = self.packages[package] = found
        return known

    def _declared(self, path: str, package: str) -> Iterator[str]:
        """The top-level classes of a file, if it is in ``package``."""
        symbols = self.symbols(path)
        if symbols is not None and self.module_name(path) == package:
            for each in symbols.definitions:
                if not each.container and each.kind is Kind.CLASS:
                    yield each.name

    def _candidates(self, package: str) -> Iterator[str]:
        ending = package.replace(".", "/")
        for folder in self.files.get(ending.rpartition("/")[2], ()) if package else ():
            if f"/{folder}".endswith(f"/{ending}"):
                yield from self.files[folder + "/"]

    def visible(self, path: str) -> Mapping[str, str]:
        """The classes of the file's package, and of packages that it imports with a star."""
        symbols = self.symbols(path)
        found: dict[str, str] = {}
        for each in symbols.imports if symbols else ():
            if each.name == "*":
                found |= self.classes(each.module)
        own = self.module_name(path)
        return {**found, **self._beside(path, own), **self.classes(own)}

    def _beside(self, path: str, package: str) -> Mapping[str, str]:
        """Classes of the same package in the same folder, wherever that folder lies."""
        folder = folder_of(path)
        if package and f"/{folder}".endswith("/" + package.replace(".", "/")):
            return {}  # the package's own folder: its classes are known
        files = self.files.get(folder + "/", ())
        return {name: file for file in files for name in self._declared(file, package)}

    @property
    def exports_are_all(self) -> bool:
        """A Java file lists no exports."""
        return False

    def offers(self, _path: str) -> bool:
        """A Java file gives nothing away that it imports."""
        return False

    def submodule(self, _package: str, _name: str) -> str | None:
        """Packages are no values: nothing can be taken from one but a class."""
        return None

    def submodules(self, _package: str) -> Mapping[str, str]:
        """None, as above."""
        return {}
