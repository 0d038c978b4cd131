"""Keep parcels somewhere."""

from depot.client import Client as Client
from depot.client import connect
from depot.models import Parcel

__all__ = ["Client", "Parcel", "connect"]
