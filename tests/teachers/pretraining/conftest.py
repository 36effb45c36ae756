"""The shop's store and encoder."""

import pytest

from tests.teachers.pretraining.shop import shop_encoder, write_shop


@pytest.fixture(scope="package")
def store(tmp_path_factory):
    """A store of pairs."""
    return write_shop(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="package")
def start(tmp_path_factory):
    """An encoder of random weights."""
    return shop_encoder(tmp_path_factory.mktemp("start"))
