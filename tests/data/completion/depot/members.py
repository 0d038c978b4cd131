"""Completion after a dot. `#? a b !c`: on the next line, a and b are offered and c is not.

The cursor stands at the line's end, or at the caret in it. Each pair of lines is completed by
itself: the other pairs are taken out first.
"""

import json
from typing import cast

import depot
import depot.models as dm
from depot import Client, connect
from depot.client import Transport
from depot.models import Address, Crate, Parcel, State, build

shared = Client("module level")
pool: "list[Client]" = []


def constructed():
    client = Client("http://x")
    #? fetch pack describe timeout !send_bytes
    client.
    #? close send_bytes !fetch
    client.transport.
    #? load free_space
    client.disk.
    #? weigh label
    client.current.
    #? one_line
    client.fetch(3).address.
    #? weigh label number !seal
    client.fetch_all()[0].
    #? seal weigh
    client.pack(Parcel.blank()).
    #? number label
    client.pack().seal()[0].
    #? weigh
    client.find(3).
    #? fetch
    client.fe
    #? place
    client._shelves["a"].


def annotated(client: Client, maybe: "Parcel | None", *rest: Address, **named: Crate):
    #? fetch
    client.
    #? weigh
    maybe.
    #? one_line
    rest[0].
    #? seal
    named["x"].
    #? count !seal
    rest.


def flows(crate: Crate, numbers: dict[int, Parcel]):
    for parcel in crate:
        #? weigh
        parcel.
    for index, (number, parcel) in enumerate(numbers.items()):
        #? bit_length !weigh
        index.
    for number, parcel in numbers.items():
        #? weigh
        parcel.
    #? weigh
    labels = [each.‸ for each in crate]
    #? weigh
    found = next(each for each in crate).
    with Client("x") as client, client.session() as line:
        #? fetch
        client.
        #? send_bytes
        line.
    if (second := Address("", "")) is not None:
        #? one_line
        second.
    a, b = Address("", ""), Crate([])
    #? seal
    b.
    value = json.loads("")
    if isinstance(value, Address):
        #? one_line
        value.
    #? is_final
    cast(State, value).
    #? seal
    build(Crate).
    try:
        pass
    except ValueError as error:
        #? args with_traceback
        error.


def aliases(registry: dm.Registry[Crate]):
    #? seal
    dm.lift(Crate([])).
    #? weigh
    dm.either().
    #? one_line
    dm.numbered().
    #? seal
    dm.renamed().
    #? seal
    dm.Renamed([]).
    #? seal
    registry.kinds["x"]([]).
    #? seal
    registry.first.
    #? one_line
    registry.later.
    #? seal
    registry.crate.
    #? seal
    registry.more[0].
    #? seal
    registry().
    #? crate clone
    registry.clone().
    #? seal
    (registry.crate if registry else None).
    #? seal
    (None or registry.crate).
    #? weigh
    [each for each in registry.crate][0].
    #? weigh
    {"a": Parcel.blank()}["a"].
    #? weigh
    sorted(registry.crate)[0].
    #? one_line
    (moved := Address("", "")).
    #? upper
    ("a" + "b").
    #? seal
    dm.Crate([]).
    #? weigh
    list(registry.crate)[0].
    #? fetch
    type(Client("")).


async def awaited(client: Client, registry: dm.Registry):
    async for parcel in registry:
        #? weigh
        parcel.
    parcel = await client.wait()
    #? weigh
    parcel.


def modules():
    #? Client Parcel connect
    depot.
    #? Parcel Crate build !Client
    dm.
    #? number label
    depot.Parcel.blank().
    #? fetch
    connect("x").
    #? fetch
    shared.
    #? fetch
    pool[0].
    #? append
    pool.
    #? WAITING SENT
    State.
    #? is_final
    State.SENT.
    #? upper join
    "text".
    #? bit_length
    len("x").


class Van(Client):
    def __init__(self, cargo: Crate, limit=3) -> None:
        super().__init__("van")
        self.cargo = cargo
        self.door: "Address | None" = None

    def load_all(self):
        #? cargo door fetch describe load_all
        self.
        #? seal
        self.cargo.
        #? one_line
        self.door.
        #? fetch describe !load_all
        super().

        def inner():
            #? cargo
            self.

    @classmethod
    def small(cls):
        #? small parse_url
        cls.
        van = cls(Crate([]))
        #? cargo
        van.
        #? cargo
        cls.small().


def unknown(client, http_client, thing):
    #? fetch
    client.
    #? fetch
    http_client.
