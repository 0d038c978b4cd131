"""Talk to a depot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Optional, Self

from .models import Crate, Parcel
from .storage import Disk

if TYPE_CHECKING:
    from .storage.disk import Shelf

DEFAULT_TIMEOUT = 30.0


class Transport:
    """Bytes out, bytes in."""

    def send_bytes(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Base:
    timeout: float = DEFAULT_TIMEOUT

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def describe(self) -> str:
        return type(self).__name__


class Client(Base):
    """A connection to one depot."""

    def __init__(self, url: str, transport: Transport | None = None, *, retries: int = 3) -> None:
        self.url = url
        self.transport = transport or Transport()
        self.disk = Disk(url)
        self.current: Optional[Parcel] = None
        self._shelves: dict[str, "Shelf"] = {}

    def fetch(self, number: int) -> Parcel:
        """One parcel by its number."""

    def fetch_all(self) -> list[Parcel]: ...

    def pack(self, *parcels: Parcel) -> Crate: ...

    async def wait(self) -> "Parcel": ...

    @contextlib.contextmanager
    def session(self) -> Iterator[Transport]:
        yield self.transport

    @staticmethod
    def parse_url(url: str) -> tuple[str, int]: ...

    @overload
    def find(self, number: int) -> Parcel: ...
    @overload
    def find(self, number: int, default: None) -> Parcel | None: ...
    def find(self, number, default=None):
        return default

    def shelf(self, name: str):
        return self._shelves[name]


def connect(url: str, *, secure: bool = True) -> Client:
    """Open a connection."""
    return Client(url)
