"""What of Lancefill cannot work for want of a package, looked up without importing anything."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDS = {
    "torch": "ghost text",
    "jedi": "names of the standard library and of installed packages",
}


def missing(package: str) -> str | None:
    """What is missing without one of the packages, and what to do; None where it is there."""
    if find_spec(package) is not None:
        return None
    return (
        f"no {_NEEDS[package]}: the package {package} is missing. Install it for {sys.executable}, "
        "or install Lancefill again, then restart the server"
    )
