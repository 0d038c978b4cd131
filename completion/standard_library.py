"""What modules and classes of the standard library offer, read from the running interpreter.

As :mod:`completion.builtin_types` reads built-in types: exact for this interpreter, and no helper
process is asked. What is read is remembered, so a module is imported once.

Importing takes time, so a thread does it: what nobody has read yet is not known, and known soon.
Only for an accepted text is a module imported at once (`module_of`).
Only what lies where the interpreter keeps its standard library is imported; a file of the same
name in the workspace is never run.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import pkgutil
import re
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from indexing import quiet
from indexing.installed import NotReadError

log = logging.getLogger(__name__)

_NOT_IMPORTED = frozenset(
    (
        *("__main__", "antigravity", "this", "idlelib", "turtledemo", "turtle", "tkinter"),
        *("lib2to3", "test", "ensurepip", "distutils", "pip", "venv", "site", "sitecustomize"),
    )
)
"""Modules that do something when they are imported, or that bring much along."""

DIFFERENT = frozenset(("select", "socket", "signal", "errno", "termios", "resource", "ssl"))
"""Modules whose names differ from system to system in ways that nobody lists."""

_ELSEWHERE = {
    "sys": "getwindowsversion winver dllhandle getandroidapilevel monitoring",
    "os": "startfile add_dll_directory O_BINARY O_NOINHERIT O_TEXT lchflags lchmod chflags",
    "ctypes": "WinDLL windll OleDLL oledll WinError FormatError GetLastError WINFUNCTYPE HRESULT "
    "get_last_error set_last_error",
    "subprocess": "STARTUPINFO STARTF_USESHOWWINDOW STARTF_USESTDHANDLES SW_HIDE DETACHED_PROCESS "
    "CREATE_NEW_CONSOLE CREATE_NEW_PROCESS_GROUP CREATE_NO_WINDOW",
    "asyncio": "WindowsSelectorEventLoopPolicy WindowsProactorEventLoopPolicy ProactorEventLoop "
    "IocpProactor",
    "time": "tzset pthread_getcpuclockid",
}
"""Names that some modules have on other systems only (https://docs.python.org/3/library)."""

_ANSWERING = frozenset(("_local", "super", "GenericAlias", "module", "weakproxy", "xmlparser"))
"""Classes written in C that find attributes elsewhere."""

_OF_MODULES = frozenset(
    (
        *("__name__", "__doc__", "__file__", "__path__", "__package__", "__loader__", "__spec__"),
        *("__dict__", "__all__", "__version__", "__annotations__", "__builtins__", "__cached__"),
    )
)


def module_attributes() -> frozenset[str]:
    """What every module has, or may have without saying so."""
    return _OF_MODULES | frozenset(dir(ModuleType))


_STORED = re.compile(r"\bself\.(\w+)|\.(\w+)\s*(?::[^=\n]+)?=(?!=)")


_Key = tuple[str, str, bool]
_found: dict[_Key, frozenset[str] | None] = {}


class _Reader:
    """A thread that works off what it is asked, and ends when there is nothing left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[_Key] = deque()
        self._asked: set[_Key] = set()
        self._thread: threading.Thread | None = None

    def soon(self, key: _Key) -> None:
        """Read ``key``, once."""
        with self._changed:
            if key in self._asked:
                return
            self._asked.add(key)
            self._jobs.append(key)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="library", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._jobs:
                    self._thread = None
                    self._changed.notify_all()
                    return
                key = self._jobs.popleft()
            quiet.wait()
            try:
                _found[key] = _read(*key)
            except Exception:
                log.exception("a module of the standard library cannot be read: %s", key[0])
                _found[key] = None

    def wait(self, seconds: float) -> bool:
        """Wait until all is read; False where that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, seconds)


_reader = _Reader()


def wait(seconds: float) -> bool:
    """Wait until all that was asked for is read; False where that takes longer."""
    return _reader.wait(seconds)


def members(module: str, qualname: str, *, instance: bool) -> frozenset[str] | None:
    """`read_members` where that was read already.

    Else it raises NotReadError, and a thread reads it.
    """
    key = (module, qualname, instance)
    if key not in _found:
        _reader.soon(key)
        raise NotReadError(module)
    return _found[key]


def read_ahead(module: str) -> None:
    """Let the thread import a module."""
    _reader.soon((module, "", False))


def read_members(module: str, qualname: str, *, instance: bool) -> frozenset[str] | None:
    """All attributes of a module (``qualname`` empty), of a class or module in it, or of instances.

    Imports the module. None where that is not known for certain: no such module or class, or one
    that makes up attributes when they are asked for. For instances the attributes that any code of
    the class's module assigns to anything count too, so the answer holds more than there is, never
    less.
    """
    found = _imported(module)
    if found is None:
        return None
    if not qualname:
        return _module_members(found)
    value: object = found
    for part in qualname.split("."):
        value = getattr(value, part, None)
    if isinstance(value, ModuleType):
        return _module_members(value)
    return _class_members(value, instance) if isinstance(value, type) else None


def module_of(parts: Sequence[str]) -> str:
    """The module to import so that there is what the dotted name ``parts`` says; "" if none is.

    ``urllib.parse`` of ``urllib.parse.quote``, ``os`` of ``os.path.join``. Imports it, at once:
    whoever asks cannot ask again later.
    """
    name, module = parts[0], _imported(parts[0])
    if module is None:
        return ""
    for part in parts[1:]:
        inner = _submodule(module, part)
        if inner is None:
            return name if hasattr(module, part) else ""
        name, module = f"{name}.{part}", inner
    return name


def _submodule(package: ModuleType, name: str) -> ModuleType | None:
    """The module ``name`` in a package; None where an attribute that is no module hides it."""
    is_hidden = not isinstance(getattr(package, name, package), ModuleType)
    if is_hidden or not hasattr(package, "__path__"):
        return None
    return _imported(f"{package.__name__}.{name}")


def _imported(name: str) -> ModuleType | None:
    top = name.partition(".")[0]
    if top not in sys.stdlib_module_names or top in _NOT_IMPORTED or name.endswith("__main__"):
        return None
    try:
        found = importlib.import_module(name) if _is_from_library(find_spec(top)) else None
    except Exception:  # noqa: BLE001  a module of another system, or one that is switched off here
        return None
    return found if found is not None and _is_from_library(found.__spec__) else None


def _is_from_library(spec: ModuleSpec | None) -> bool:
    """Whether a module comes with the interpreter, and does not just have the name of one."""
    if spec is None or spec.origin is None:
        return False
    if spec.origin in ("built-in", "frozen"):
        return True
    origin = Path(spec.origin).resolve()
    if _INSTALLED.intersection(origin.parts):
        return False
    return any(origin.is_relative_to(folder) for folder in _folders())


_INSTALLED = frozenset(("site-packages", "dist-packages"))


@cache
def _folders() -> tuple[Path, ...]:
    """Where the interpreter keeps its standard library."""
    paths = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    found = [Path(path).resolve() for path in paths if path]
    compiled = sysconfig.get_config_var("DESTSHARED")
    return (*found, Path(compiled).resolve()) if compiled else tuple(found)


def _module_members(module: ModuleType) -> frozenset[str] | None:
    if "__getattr__" in vars(module) or module.__name__ in DIFFERENT:
        return None
    elsewhere = _ELSEWHERE.get(module.__name__, "").split()
    inner = (each.name for each in pkgutil.iter_modules(getattr(module, "__path__", ())))
    return frozenset(vars(module)) | frozenset(inner) | module_attributes() | frozenset(elsewhere)


def _class_members(cls: type, instance: bool) -> frozenset[str] | None:
    names: set[str] = set()
    for base in cls.__mro__:
        own = vars(base)
        if base is not object and ("__getattr__" in own or _answers_itself(base)):
            return None
        names |= own.keys()
        if base.__module__ != "builtins":
            assigned = _assigned(base.__module__)
            if assigned is None:
                return None
            names |= assigned
    return frozenset(names if instance else names | set(dir(type(cls))) | set(dir(type)))


def _answers_itself(cls: type) -> bool:
    """Whether the class looks attributes up in its own way; most written in C say they do."""
    own = vars(cls).get("__getattribute__")
    written_in_c = isinstance(own, type(object.__getattribute__))
    return own is not None and (not written_in_c or cls.__name__ in _ANSWERING)


_held: dict[str, frozenset[str]] = {}


def names(module: str) -> frozenset[str]:
    """What the module holds on this system, nothing where it cannot be imported.

    Raises NotReadError as `members` does.
    """
    if module not in _held:
        _reader.soon((module, "", False))
        raise NotReadError(module)
    return _held[module]


def _read(module: str, qualname: str, instance: bool) -> frozenset[str] | None:
    found = _imported(module)
    _held[module] = frozenset() if found is None else frozenset(vars(found))
    return read_members(module, qualname, instance=instance)


@cache
def _assigned(module: str) -> frozenset[str] | None:
    """Every attribute that the module's source assigns to, and all on ``self``.

    None of them where the source is not Python; None where there is no such module.
    """
    found = _imported(module)
    if found is None:
        return None
    try:
        source = inspect.getsource(found)
    except (OSError, TypeError):
        return frozenset()
    return frozenset(own or other for own, other in _STORED.findall(source))
