import pytest


@pytest.fixture
def parcel(crate):
    return crate[0]


def test_near_and_far(client, line, crate, parcel, unheard_of):
    #? fetch
    client.
    #? send_bytes
    line.
    #? seal
    crate.
    #? weigh
    parcel.


class TestOwn:
    @pytest.fixture
    def parcel(self, line):
        return line

    def test_own(self, parcel):
        #? send_bytes !weigh
        parcel.
