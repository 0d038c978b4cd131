import pytest

from depot import Client
from depot.models import Crate


@pytest.fixture
def client():
    with Client("x") as opened:
        yield opened


@pytest.fixture
def line(client):
    return client.transport


@pytest.fixture(name="crate")
def crate_fixture() -> Crate: ...
