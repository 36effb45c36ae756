"""`labels: auto`: which classes files have, however their labels are written."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.intake.found_labels import FoundLabels, labels_of_files
from distill.core.intake.prepare import prepare
from distill.core.project import Project
from tests.core.record_fixtures import LABELS, project, row, rows, write_all


def found(tmp_path) -> Project:
    """The project of the files there, with their labels."""
    plan = project(root=str(tmp_path))
    task = plan.task.model_copy(update={"labels": labels_of_files(plan), "positive": None})
    return plan.model_copy(update={"task": task})


def test_a_class_that_only_a_test_has_stops_the_run(tmp_path):
    test = [*rows("е", 6, 200), row("новый", 230, "редкий")]
    plan = found(write_all(tmp_path, test=test))
    assert plan.task.labels == sorted([*LABELS, "редкий"])
    with pytest.raises(UserError, match=r"(?s)test\.seen has a label that train lacks.*test\.jsonl, row 7.*редкий"):
        prepare(plan, tmp_path)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_label_column_that_no_row_has_is_named_with_the_nearest_one(tmp_path, kind):
    write_all(tmp_path)
    pq.write_table(pa.table({"метка": ["да", "нет"] * 9, "id": list(range(18))}), tmp_path / "train.parquet")
    plan = project(root=str(tmp_path))
    data = plan.data.model_copy(update={"label": "метки", "train": [f"train.{kind}"]})
    with pytest.raises(UserError, match=r"(?s)no row has column 'метки' \(data.label\).*did you mean 'метка'"):
        labels_of_files(plan.model_copy(update={"data": data}))


@pytest.mark.parametrize(
    ("golds", "labels"),
    [
        (["1", "1.0", 1, "0", 0.0, "0.0"], {"1": 3, "0": 3}),
        (["True", True, "false", "False"], {"true": 2, "false": 2}),
        (["1.0", "0.0"], {"1.0": 1, "0.0": 1}),
        (["sci  fi", "sci fi", "нау  фи", "нау фи"], {"sci fi": 2, "нау фи": 2}),
        ([{"a": 3, "b": None}, [("a", 1)], {"a": 1}], {"a": 3}),
    ],
)
def test_one_class_is_one_label_however_tables_write_it(golds: list[Any], labels):
    counts = FoundLabels()
    counts.add([{"label": gold} for gold in golds], "label")
    assert counts.counts == labels
