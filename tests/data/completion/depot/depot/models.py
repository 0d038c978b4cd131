"""What is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class State(Enum):
    """Where a parcel is."""

    WAITING = 1
    SENT = 2

    def is_final(self) -> bool:
        return self is State.SENT


@dataclass
class Address:
    street: str
    city: str

    def one_line(self) -> str:
        return f"{self.street}, {self.city}"


@dataclass
class Parcel:
    """Something to send."""

    number: int
    address: Address
    state: State = State.WAITING
    tags: list[str] = field(default_factory=list)

    @classmethod
    def blank(cls):
        return cls(0, Address("", ""))

    @property
    def label(self) -> str:
        return f"{self.number}: {self.address.one_line()}"

    def weigh(self, scale: float = 1.0, *, rounded: bool = False) -> float:
        """How heavy it is."""
        return scale


class Crate(Parcel):
    """A parcel of parcels."""

    def __init__(self, parcels: list[Parcel]) -> None:
        self.parcels = parcels
        self._sealed = False

    def __iter__(self) -> Iterator[Parcel]:
        return iter(self.parcels)

    def __getitem__(self, index: int) -> Parcel:
        return self.parcels[index]

    def seal(self) -> Crate:
        self._sealed = True
        return self


def build(kind: type[T]) -> T:
    return kind()


Movable = TypeVar("Movable", bound=Crate)
Either = Union[None, Parcel]
Number = NewType("Number", Address)
Renamed = Crate


def lift(thing: Movable) -> Movable: ...


def either() -> Either: ...


def numbered() -> Number: ...


def renamed() -> "Renamed": ...


class Registry(Generic[T]):
    kinds: dict[str, type[Crate]]
    first = Crate([])
    later = None

    def __init__(self, crate: Crate, *more: Crate):
        self.crate = crate
        self.more = more
        self.later = Address("", "")

    def __call__(self) -> Crate: ...

    def __aiter__(self): return self

    async def __anext__(self) -> Parcel: ...

    def clone(self: T) -> T: ...


def unfinished(
