"""The toy task's encoder and records, as fixtures of the packages whose conftest names them."""

import pytest

from tests.training.toy import toy_classifier, toy_encoder, write_toy


@pytest.fixture(scope="package")
def encoder(tmp_path_factory):
    """A two-layer BERT with random weights."""
    return toy_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="package")
def warm(encoder, tmp_path_factory):
    """The encoder fine-tuned on the toy task."""
    return toy_classifier(encoder, tmp_path_factory.mktemp("warm"))


@pytest.fixture(scope="package")
def records(tmp_path_factory):
    """A records artifact: 24 train, 12 valid, 18 pool and 9 test rows."""
    return write_toy(tmp_path_factory.mktemp("records"))
