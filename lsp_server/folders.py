"""The workspace's folders, each with its index, its indexer and its Python; settings in force."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from completion.request import Code, Reason
from indexing.cache import Place, workspace_folder
from indexing.files import MAY_HOLD_SECRETS
from indexing.index import Index
from lsp_server import environment
from lsp_server.editor import Editor
from lsp_server.environment import Environment
from lsp_server.helpers import NICENESS
from lsp_server.paths import path_of, relative_to
from lsp_server.processes import Helper, module
from lsp_server.progress import ENDED, LOOKING, READING, READY
from lsp_server.settings import Settings

log = logging.getLogger(__name__)

LOGGED_SKIPPED = 20
"""How many skipped files are named in the log at once."""
EVERYWHERE = Path(Path.cwd().anchor)


class Folder:
    """One workspace folder: its index, the process that writes it, the Python it is written for.

    ``progress`` is the indexer's last word. The folder without an ``indexer`` takes the documents
    that lie in no workspace folder.
    """

    def __init__(self, root: Path, index: Index, surroundings: Environment) -> None:
        self.root = root
        self.index = index
        self.surround(surroundings)
        self.indexer: Helper | None = None
        self.progress: Mapping[str, Any] = {}
        self.told_skipped: set[tuple[str, str]] = set()
        self._failure = ""
        self._deaths_before = 0

    def surround(self, surroundings: Environment) -> None:
        """The Python that the folder is written for is this one now."""
        self.environment = surroundings
        self.index.use_packages(surroundings.packages)

    def index_with(self, indexer: Helper) -> None:
        """The process that writes the index is this one now."""
        self.indexer = indexer
        self._deaths_before = 0

    def hear(self, progress: Mapping[str, Any]) -> bool:
        """Take the indexer's word; whether it is news."""
        phase = progress.get("phase")
        if self.progress.get("phase") == READY and phase == LOOKING:
            return False  # looking for changes now and then is nothing to show
        self.progress = progress
        if phase in ENDED:
            self._failure = str(progress.get("problem", ""))
            self._deaths_before = self.indexer.health.deaths if self.indexer else 0
        return True

    @property
    def problem(self) -> str:
        """Why it is not indexed: what its last round failed for, or the indexer's death since."""
        health = self.indexer.health if self.indexer else None
        if health and health.deaths > self._deaths_before:
            return f"the indexer {health.last_error}, it is started again"
        return self._failure

    @property
    def busy(self) -> bool:
        """Whether it is being indexed; an indexer that has said nothing yet is about to look."""
        return self._phase not in ENDED and not self.problem

    @property
    def _phase(self) -> str:
        return str(self.progress.get("phase", LOOKING)) if self.indexer else READY

    @property
    def unfinished(self) -> Reason | None:
        """Why something may be missing from the index, or None when it is complete."""
        if self._phase not in READING:
            return None
        if self.problem:
            return Reason(Code.INDEXING, f"the index is not whole: {self.problem}")
        done, total = self.progress.get("done", 0), self.progress.get("total", 0)
        return Reason(Code.INDEXING, f"the index is being built: {done} of {total} files")

    @property
    def secrets(self) -> int:
        """How many files are left out of the index for what they may hold."""
        skipped = self.index.snapshot().skipped()
        return sum(reason == MAY_HOLD_SECRETS for _, reason in skipped)

    def log_skipped(self) -> None:
        """Say which files are left out of the index and why, each once."""
        skipped = set(self.index.snapshot().skipped())
        new = sorted(skipped - self.told_skipped)
        self.told_skipped = skipped
        for path, reason in new[:LOGGED_SKIPPED]:
            log.info("%s skipped: %s", path, reason)
        if len(new) > LOGGED_SKIPPED:
            log.info("%d more files were skipped", len(new) - LOGGED_SKIPPED)


class Folders:
    """The open folders and what is in force in them.

    ``settings`` are those of the editor, ``own`` those of folders that have others: of these, the
    interpreter and what is excluded count.
    """

    def __init__(
        self,
        editor: Editor,
        settings: Settings,
        heard: Callable[[Folder, Mapping[str, Any]], None],
        renewed: Callable[[Folder], None],
    ) -> None:
        """``heard`` is told of progress, ``renewed`` of an index that has become another one."""
        self.settings = settings
        self.own: Mapping[Path, Settings] = {}
        self.problems: list[str] = []
        self._editor = editor
        self._heard = heard
        self._renewed = renewed
        self._cache: Path | None = None
        self.all = [self._open(root) for root in dict.fromkeys(editor.roots)]
        nowhere = Index(EVERYWHERE, Place(Path(os.devnull)))
        self._outside = Folder(EVERYWHERE, nowhere, self._environment(EVERYWHERE))

    def of(self, uri: str) -> Folder:
        """The innermost folder of a document."""
        path = path_of(uri)
        inside = [f for f in self.all if path and relative_to(path, f.root) is not None]
        return max(inside, key=lambda folder: len(folder.root.parts), default=self._outside)

    def change(self, added: Iterable[Path], removed: Iterable[Path]) -> list[Helper]:
        """Open and close folders; the helpers that are not needed any more."""
        gone = set(removed)
        closed = [folder for folder in self.all if folder.root in gone]
        kept = [folder for folder in self.all if folder.root not in gone]
        known = {folder.root for folder in kept}
        new = [self._open(root) for root in dict.fromkeys(added) if root not in known]
        self.all = kept + new
        return [folder.indexer for folder in closed if folder.indexer]

    def apply(self, settings: Settings, own: Mapping[Path, Settings]) -> list[Helper]:
        """Take new settings into force; the helpers that have become outdated."""
        before = [self._settings_of(folder.root) for folder in self.all]
        self.settings, self.own = settings, dict(own)
        outdated: list[Helper] = []
        for folder, then in zip(self.all, before, strict=True):
            now = self._settings_of(folder.root)
            if then.exclude != now.exclude and folder.indexer:
                outdated.append(folder.indexer)
                folder.indexer = None
            if then.interpreter != now.interpreter:
                folder.surround(self._environment(folder.root))
        self._outside.surround(self._environment(EVERYWHERE))
        return outdated

    def start(self) -> None:
        """Start the indexers that do not run."""
        for folder in self.all:
            if folder.indexer is None:
                excluded = self._settings_of(folder.root).exclude
                arguments = [f"--exclude={pattern}" for pattern in excluded]
                if self._cache:
                    arguments.append(f"--cache={self._cache}")
                if not self._editor.watches_files:
                    arguments.append("--watch")
                root = str(folder.root)
                program = module("indexer", "indexing.worker", root, *arguments, niceness=NICENESS)
                indexer = Helper(program, self._hears(folder))
                folder.index_with(indexer)
                indexer.start()

    def files_changed(self, uris: Iterable[str]) -> None:
        """Files changed on disk: the indexers look at them again."""
        paths = [path for uri in uris if (path := path_of(uri))]
        for folder in self.all:  # one may lie in another, which indexes its files too
            names = [relative_to(path, folder.root) for path in paths]
            if folder.indexer and (known := [name for name in names if name]):
                folder.indexer.notify("changed", {"paths": known})

    def discard(self) -> None:
        """The session is over: an index that could not be kept goes with it."""
        if self._cache:
            shutil.rmtree(self._cache, ignore_errors=True)

    def _open(self, root: Path) -> Folder:
        index = Index.open(root, self._cache)
        if index.warning and self._cache is None:
            log.warning("%s", index.warning)
            self.problems.append(index.warning)
            with contextlib.suppress(OSError):  # no room anywhere: the index is built once there is
                self._cache = Path(tempfile.mkdtemp(prefix="lancefill-"))
                atexit.register(self.discard)  # editors that crash do not say that it is over
                if index.folder != workspace_folder(root):  # a temporary one already
                    shutil.rmtree(index.folder, ignore_errors=True)
                index = Index.open(root, self._cache)
        found = self._environment(root)
        log.info("the project's Python is %s (%s)", found.interpreter, found.found_by)
        return Folder(root, index, found)

    def _environment(self, root: Path) -> Environment:
        chosen = self._settings_of(root).interpreter
        return environment.find(root, chosen, trusted=self._editor.trusted)

    def _settings_of(self, root: Path) -> Settings:
        return self.own.get(root, self.settings)

    def _hears(self, folder: Folder) -> Callable[[str, Mapping[str, Any]], None]:
        def notified(method: str, params: Mapping[str, Any]) -> None:
            if folder not in self.all:
                return  # it was closed
            if method != "progress" or not folder.hear(params):
                return
            if params.get("phase") == READY and folder.index.refresh():
                folder.log_skipped()
                self._renewed(folder)
            self._heard(folder, params)

        return notified
