"""Rows that read alike over files: those, and only those, whose rendered texts are equal."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.core.equal_texts import repeats
from distill.core.errors import UserError
from distill.core.intake.words import word_tokenizer
from distill.core.project import ViewConfig
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.rendering import Renderer
from distill.core.swap import ViewSwap

PAIR = ViewConfig(left=["a", "b"], right=["c"], max_tokens=64, separator=" 'и' ", prefixes={"b": "it's: ", "c": "| "})
SINGLE = ViewConfig(left=["b", 'c "d".e'], max_tokens=64)
SWAPPED = ViewConfig(left=["a"], right=["b"], max_tokens=64, swap=ViewSwap(fields=[("a", "c")], order=[1, 0]))
TEXTS = st.sampled_from(["", "x", "y", "x | y", "it's: x", "| x", "x 'и' it's: y"])
ROWS = st.lists(st.fixed_dictionaries({"a": TEXTS, "b": TEXTS, "c": TEXTS, 'c "d".e': TEXTS}), max_size=20)


def written(folder: Path, files: dict[str, list[dict[str, str]]]) -> Path:
    """A records folder of these texts."""
    for name, rows in files.items():
        write_records(folder / f"{name}.parquet", [Record(f"{name}{row}", own) for row, own in enumerate(rows)])
    return folder


def rendered(view: ViewConfig, row: dict[str, str]) -> list[object]:
    """What a model of this view reads of a row."""
    ways = [view, view.exchanged] if view.swap else [view]
    return [Renderer(way.as_json(), word_tokenizer()).text(row) for way in ways]


@pytest.mark.parametrize("views", [[PAIR], [SINGLE], [SWAPPED], [SINGLE, PAIR]], ids=["pair", "single", "swap", "both"])
@settings(max_examples=40, deadline=None)
@given(train=ROWS, pool=ROWS)
def test_rows_repeat_the_first_of_equal_rendered_texts(views, train, pool):
    with TemporaryDirectory() as place:
        records = written(Path(place), {"train": train, "pool.web": pool})
        found = repeats(records, ["train", "pool.web"], views)
    texts = [str([rendered(view, row) for view in views]) for row in [*train, *pool]]
    assert found.tolist() == [[row, texts.index(text)] for row, text in enumerate(texts) if texts.index(text) < row]


def test_a_field_that_a_file_has_not_is_an_empty_one(tmp_path):
    records = written(tmp_path, {"train": [{"a": "x", "b": "", "c": "y"}], "pool.web": [{"a": "x", "c": "y"}]})
    assert repeats(records, ["train", "pool.web"], [PAIR]).tolist() == [[1, 0]]
    assert repeats(records, ["train"], [PAIR]).shape == (0, 2)


@pytest.mark.parametrize(
    "view", [{"left": ["Name"], "right": ["name"]}, {"left": ["Name", "name"]}, {"left": ["name"]}]
)
def test_columns_whose_names_differ_only_in_case_are_two(tmp_path, view):
    rows = [{"Name": f"brand {row % 2}", "name": f"product {row % 5}"} for row in range(15)]
    texts = [str([row[path] for path in [*view["left"], *view.get("right", [])]]) for row in rows]
    found = repeats(written(tmp_path, {"pool.web": rows}), ["pool.web"], [ViewConfig(**view, max_tokens=64)])
    assert found.tolist() == [[row, texts.index(text)] for row, text in enumerate(texts) if texts.index(text) < row]


def test_a_file_that_was_cut_is_named(tmp_path):
    records = written(tmp_path, {"train": [{"a": f"{row} x" * 20, "b": "", "c": "y"} for row in range(2000)]})
    whole = (records / "train.parquet").read_bytes()
    (records / "train.parquet").write_bytes(whole[:100] + bytes(len(whole) - 3100) + whole[-3000:])
    with pytest.raises(UserError, match=r"train\.parquet"):
        repeats(records, ["train"], [PAIR])
