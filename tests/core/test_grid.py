"""The grid of a sweep and the splits of a study: what does not fit together, and how cells are named."""

import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.grid import Grid, parse_over, shown_point
from distill.core.intake.config import Data
from distill.pipeline.studies.cells import cell_name


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (Grid, {"columns": ["a"]}, "rows: missing"),
        (Grid, {"columns": ["a", "b"], "rows": [[1, 2], [3]]}, "rows: row 2 has 1 values for 2 columns"),
        (Grid, {"sets": ["a=$1"]}, r"sets: a \$ that begins no name"),
        (Grid, {"columns": ["a"], "rows": [[1]], "over": {"a": [2]}}, "over: a named twice"),
        (Grid, {"over": {name: list(range(40)) for name in "ab"}}, "over: 1600 cells, at most 1000"),
        (Data, {"train": "a", "keys": ["k"], "split": {"mode": "keys", "keys": ["l"]}}, "split.keys: l not among"),
        (Data, {"train": "a", "keys": ["k"], "split": {"mode": "random", "keys": ["k"]}}, "split.keys: they are"),
        (Data, {"train": "a", "test": {"x": "b"}, "split": {"mode": "random"}}, "test: split.mode random makes"),
    ],
)
def test_what_does_not_fit_together_is_refused(model, values, message):
    with pytest.raises(UserError, match=message):
        parse(model, values, "grid.yaml")


def test_points_are_rows_by_products_each_once():
    grid = Grid(columns=["a"], rows=[[1], [1], [2]], over={"b": [0.5, [1, 2]]})
    assert grid.points == [{"a": 1, "b": 0.5}, {"a": 1, "b": [1, 2]}, {"a": 2, "b": 0.5}, {"a": 2, "b": [1, 2]}]
    assert grid.settings(grid.points[1]) == ["a=1", "b=[1, 2]"]
    assert parse_over(["a.b=1e-5,[x, y],null"]) == {"a.b": [1e-5, ["x", "y"], None]}


def test_cells_are_named_by_their_values_alone():
    assert shown_point({"t.base.rate": 1e-5, "n": "два"}) == "rate 1e-05, n два"
    names = {cell_name({key: value}) for key in ("a.x", "b.x") for value in (1, "1", 2, "../../x", "я" * 300)}
    assert len(names) == 10 and all("/" not in name and len(name.encode()) < 160 for name in names)
    assert cell_name({"a": 1}) == cell_name({"a": 1})
