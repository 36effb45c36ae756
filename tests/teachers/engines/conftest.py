"""The teacher of words."""

import pytest

from tests.teachers.engines.words_teacher import words_teacher


@pytest.fixture(scope="package")
def words(tmp_path_factory):
    """A teacher of words with its labels."""
    return words_teacher(tmp_path_factory.mktemp("words"))
