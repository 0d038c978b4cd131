from contextlib import contextmanager

from depot import Client
from depot.models import Address, Crate, Parcel


def opened(url="x"):
    if not url:
        return None
    client = Client(url)
    return client


def chained():
    return opened().transport


def circular():
    return circular()


@contextmanager
def entered():
    yield Crate([])


class Holder:
    @classmethod
    def make(cls):
        return cls()

    @property
    def crate(self):
        return self._made()

    def _made(self):
        def inner():
            return Address("", "")

        return Crate([])


class Typed:
    def __get__(self, instance, owner) -> Parcel: ...


class Plain:
    field = Typed()


class Mixin:
    def mixed(self): ...


class Both(Unheard, Mixin):
    def again(self):
        #? mixed
        super().


def used(thing, other):
    #? fetch
    opened().
    #? send_bytes
    chained().
    circular().
    #? seal !one_line
    Holder.make().crate.
    #? weigh
    Plain().field.
    with entered() as crate:
        #? seal
        crate.
    match thing:
        case Address():
            #? one_line
            thing.
        case Crate(parcels=[]):
            #? seal
            thing.
    if not isinstance(other, Address):
        return
    #? one_line
    other.
