import pytest

from suresam.access.key import new_key


@pytest.fixture
def alice():
    return new_key()


@pytest.fixture
def bob():
    return new_key()
