from ..models import Parcel


class Shelf:
    def place(self, parcel: Parcel) -> None: ...


class Disk:
    def __init__(self, root: str) -> None:
        self.root = root

    def load(self, number: int) -> Parcel: ...

    def free_space(self) -> int: ...
