"""One item of APIEval: a call of one of the repository's own APIs, and how it is cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from evaluation import report
from evaluation.cuts import Cut, Place, line_end


class ItemsError(Exception):
    """A file of items cannot be used; the message says why."""


class Shape(StrEnum):
    """What the callee's name stands behind."""

    MEMBER = "member"
    BARE = "bare"


class Stratum(StrEnum):
    """What stands before the dot, by its form; for a bare name, whether it is imported."""

    SELF = "self"
    IMPORTED = "imported"
    PARAMETER = "parameter"
    VARIABLE = "variable"
    ATTRIBUTE = "attribute"
    CALL = "call"
    OTHER = "other"
    NOT_IMPORTED = "not imported"


class Variant(StrEnum):
    """What is left of the file: the code below the cut line too, or only what stands above it."""

    BELOW = "below"
    ABOVE = "above"


@dataclass(frozen=True, slots=True)
class ApiItem:
    """A call whose callee another file of the repository defines.

    ``offset`` is the byte offset of the callee's last ``name`` in the uncut file, ``receiver`` the
    source before the dot. ``imported``: an import statement of the file binds the receiver's first
    name or the bare name. ``defined`` are the files that hold the definition, ``resolvers`` who
    said so, ``rest`` what is cut away: the true rest of the line.
    """

    repository: str
    language: str
    path: str
    offset: int
    name: str
    shape: Shape
    receiver: str
    stratum: Stratum
    imported: bool
    defined: tuple[str, ...]
    resolvers: tuple[str, ...]
    rest: str

    @property
    def cut(self) -> Cut:
        """The item as a position to complete at, with nothing typed yet."""
        place = Place.DOT if self.shape is Shape.MEMBER else Place.NAME
        return Cut(self.path, self.offset, place, self.name, "", self.rest)


def cut_text(data: bytes, offset: int, variant: Variant) -> bytes:
    """What is left of a file that is cut at byte ``offset``: the rest of the line never is."""
    kept = b"" if variant is Variant.ABOVE else data[line_end(data, offset) :]
    return data[:offset] + kept


def write(path: Path, items: Iterable[ApiItem]) -> None:
    """Write items as JSONL."""
    report.write_jsonl(path, items)


def read(path: Path) -> list[ApiItem]:
    """Read items from JSONL. Raises ItemsError."""
    try:
        lines = path.read_text("utf-8").splitlines()
        return [_item(json.loads(line)) for line in lines if line.strip()]
    except OSError as error:
        raise ItemsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ItemsError(f"{path} does not hold items of APIEval: {error}") from error


def _item(values: dict[str, object]) -> ApiItem:
    known = {field.name: values[field.name] for field in fields(ApiItem)}
    known |= {name: tuple(known[name]) for name in ("defined", "resolvers")}  # type: ignore[arg-type]
    known |= {"shape": Shape(str(known["shape"])), "stratum": Stratum(str(known["stratum"]))}
    return ApiItem(**known)  # type: ignore[arg-type]
