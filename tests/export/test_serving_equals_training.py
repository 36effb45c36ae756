"""One record read by training and by a bundle: the same token ids for every value, or both refuse it."""

import datetime
import decimal
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from distill.core.config import parse
from distill.core.intake.record_reader import BadRow, RecordReader
from distill.core.project import Project
from export.runtime import load_bundle
from tests.export.tiny_bundle import LABELS, VIEW, shared_bundle

SIDES = VIEW.model_dump(exclude_none=True)
PROJECT = parse(
    Project,
    {
        "task": {"labels": list(LABELS)},
        "data": {"train": "train.jsonl", "test": {"unseen": "test.jsonl"}},
        "views": {"document": SIDES, "card": SIDES},
    },
    "project.yaml",
)


class Missing:
    """As pandas.NA: no comparison of it is true or false."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


class Wordless:
    """An object without a text."""

    def __str__(self):
        raise RuntimeError("no text")


TEXTS = st.text(max_size=12) | st.text("абв  \t\n\x00\u2028\u200b🎧е\u0301", max_size=30)
SCALARS = st.one_of(
    st.none(),
    TEXTS,
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=True),
    st.dates(),
    st.sampled_from([math.nan, decimal.Decimal("sNaN"), np.float32("nan"), np.datetime64("NaT"), Missing()]),
    st.sampled_from([np.float32(0.1), np.int64(7), np.str_("слово"), np.bool_(True), 10**5000, "\ud800"]),
    st.sampled_from([b"bytes", {"a": 1}, {1, 2}, Wordless(), datetime.datetime(2024, 2, 3, 4, 5)]),
)
ARRAYS = hnp.arrays(
    st.sampled_from([np.float64, np.int32, np.bool_, np.float16]), hnp.array_shapes(max_dims=2, max_side=3)
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.lists(SCALARS, max_size=3).map(tuple) | ARRAYS
SIDE = VALUES | st.dictionaries(st.sampled_from(["title", "defin", "body"]), VALUES, max_size=3)
RECORDS = st.dictionaries(st.sampled_from(["product", "page", "other"]), SIDE, max_size=3).flatmap(
    lambda nested: st.dictionaries(
        st.sampled_from(["product.title", "page.title", "page.body"]), VALUES, max_size=3
    ).map(lambda flat: {**nested, **flat})
)


@pytest.fixture(scope="module")
def served():
    return load_bundle(shared_bundle(), threads=1)


def trained_on(bundle, record):
    """The texts and windows that training reads, by the record that intake keeps; None for a row in quarantine."""
    try:
        kept = RecordReader(PROJECT, labelled=False).read({**record, "id": "1"})
    except BadRow:
        return None
    return bundle.renderer.text(kept.fields), bundle.renderer.encode(kept.fields).windows


def answered_from(bundle, record):
    """The texts and windows of the bundle; None for a record that it refuses by its number."""
    try:
        windows = bundle.encode([record])[0].windows
    except ValueError as error:
        assert str(error).startswith("record 0: ")
        return None
    return bundle.renderer.text(record), windows


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(record=RECORDS)
def test_training_and_serving_read_the_same(served, record):
    assert answered_from(served, record) == trained_on(served, record)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, ""),
        (np.float64("nan"), ""),
        (np.datetime64("NaT"), ""),
        (Missing(), ""),
        (decimal.Decimal("sNaN"), ""),
        ([None, math.nan, "a", 3], "a, 3"),
        (np.array(["a", "b"]), "a, b"),
        (np.array([1.5, np.nan]), "1.5"),
        (np.float32(0.5), "0.5"),
        ("a\x00b", "a\x00b"),
        (np.array("слово"), "слово"),
    ],
)
def test_both_read_such_a_value_as_this_text(served, value, text):
    assert served.renderer.text({"page": {"title": value}})[1] == text
    plain = answered_from(served, {"page.title": text})
    assert answered_from(served, {"page": {"title": value}}) == plain == trained_on(served, {"page.title": value})


REFUSED = {
    "mapping": {"a": 1},
    "bytes": b"bytes",
    "list in a list": [["a"]],
    "matrix": np.zeros((2, 2)),
    "wordless": Wordless(),
    "huge number": 10**5000,
    "set": {1},
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse_such_a_value(served, name):
    record = {"page.title": REFUSED[name]}
    assert trained_on(served, record) is None and answered_from(served, record) is None
