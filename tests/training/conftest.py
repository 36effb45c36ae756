"""The toy task's encoder."""

import pytest

from tests.training.toy import toy_classifier, toy_encoder


@pytest.fixture(scope="package")
def encoder(tmp_path_factory):
    """A two-layer BERT with random weights."""
    return toy_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="package")
def warm(encoder, tmp_path_factory):
    """The encoder fine-tuned on the toy task."""
    return toy_classifier(encoder, tmp_path_factory.mktemp("warm"))
