"""The selection as a step: from label stores and records to ids on disk, and to the rows that a student learns."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import read_json, sha256
from distill.core.label_space import LabelSpace
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.selection.config import Select
from distill.core.selection.store import selected_ids
from distill.core.soft_labels import SoftLabels, write_shard
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, soft_rows
from distill.training.selecting import select

SPACE = LabelSpace(("мимо", "точно"))


def planted(root: Path, **over: Any) -> tuple[Path, Path]:
    """Records and their labels: 4 training rows, 30 and 10 pool rows; every third is `точно`, a tenth undecided.

    Row 7 of the first pool has no usable label. Args: over: of each pool record.
    """
    records, store = root / "records", root / "labels"
    (root / "records").mkdir(parents=True)
    store.mkdir()
    gold = np.array([1, 0], np.float32)
    write_records(records / "train.parquet", [Record(f"т{i}", {"t": "a"}, gold, None, {"k": "1"}) for i in range(4)])
    names, sources, logits = [f"т{i}" for i in range(4)], ["train"] * 4, [[1.0, 0.0]] * 4
    for pool, count in (("urls", 30), ("more", 10)):
        own = [f"{pool}{i}" for i in range(count)]
        rows = [
            Record(name, {"t": f"a{i}"}, None, over.get("slice", "xy"[i % 2]), over.get("keys", {"k": str(i // 2)}))
            for i, name in enumerate(own)
        ]
        write_records(records / f"pool.{pool}.parquet", rows)
        sure = [math.log(99) if i % 10 else 0.0 for i in range(count)]
        names, sources = [*names, *own], [*sources, *[f"pool.{pool}"] * count]
        logits += [[0.0, one] if i % 3 == 0 else [one, 0.0] for i, one in enumerate(sure)]
    tokens = np.ones(len(names), np.int32)
    status = ["empty" if name == "urls7" else "ok" for name in names]
    write_shard(store, 0, SoftLabels(names, sources, np.array(logits, np.float32), tokens, 0 * tokens, status))
    return records, store


def selected(root: Path, config: dict[str, Any], temperature: float = 1.0, **over: Any) -> tuple[Path, dict[str, Any]]:
    """The selection's folder and what it says of itself."""
    folder = root / "selection"
    folder.mkdir(parents=True)
    records, store = planted(root, **over)
    select(parse(Select, config, "test"), SPACE, records, {store: Share(1, temperature)}, 1, folder)
    return folder, read_json(folder / "selection.json")


def test_ids_of_each_source_and_figures_before_and_after(tmp_path):
    folder, found = selected(tmp_path, {"rows": 20, "balance": ["class"], "entropy": [0, 0.5]})
    assert (found["pool"], found["without_label"], found["rows"]) == (40, 1, 20)
    assert found["before"]["class"] == {"мимо": 27, "точно": 12} and found["after"]["class"] == {
        "мимо": 10,
        "точно": 10,
    }
    assert found["before"]["entropy"] == {"0 to 0.5": 35, "0.5 to 1": 4}
    assert found["after"]["entropy"] == {"0 to 0.5": 20, "0.5 to 1": 0}
    assert found["left_out"] == {"not_needed": 15, "outside_bands": 4}
    assert sorted(path.name for path in folder.glob("*.parquet")) == ["pool.more.parquet", "pool.urls.parquet"]
    ids = set(selected_ids(folder).to_pylist())
    assert len(ids) == 20 and "urls7" not in ids and not ids & {"urls0", "urls10", "urls20", "more0"}


def test_a_single_teachers_logits_are_tempered_too(tmp_path):
    def shares(root: Path, temperature: float) -> dict[str, int]:
        found: dict[str, int] = selected(root, {"entropy": [[0, 0.2], [0.2, 0.9]]}, temperature)[1]["after"]["entropy"]
        return found

    # Odds of 99 to 1 have 8% of the largest entropy; of its square root 44%.
    assert shares(tmp_path / "as it is", 1.0)["0.2 to 0.9"] == 0
    assert shares(tmp_path / "tempered", 2.0)["0.2 to 0.9"] == 35


def test_students_learn_gold_rows_and_the_selected_ones(tmp_path):
    folder, _ = selected(tmp_path, {"rows": 5})
    records, stores = tmp_path / "records", {tmp_path / "labels": Share()}
    rows = list(soft_rows(records, Labels(stores, selection=folder), SPACE, tmp_path).records(records))
    assert [row.id for row in rows[:4]] == ["т0", "т1", "т2", "т3"]
    assert {row.id for row in rows[4:]} == set(selected_ids(folder).to_pylist()) and len(rows) == 9
    assert len(soft_rows(records, Labels(stores), SPACE, tmp_path)) == 43
    assert len(soft_rows(records, Labels(stores, ["train", "pool.more"]), SPACE, tmp_path)) == 14


def test_two_runs_leave_equal_files(tmp_path):
    one, other = (selected(tmp_path / name, {"rows": 9, "per_key": 1})[0] for name in ("a", "b"))
    assert [sha256(path) for path in sorted(one.iterdir())] == [sha256(path) for path in sorted(other.iterdir())]


@pytest.mark.parametrize(
    ("config", "over", "message"),
    [
        ({"rows": 9, "balance": ["slice"]}, {"slice": None}, "no pool row has a slice to balance by"),
        ({"per_key": 1}, {"keys": {"k": ""}}, "no pool row has a key to cap"),
        ({"entropy": [0.3, 0.5]}, {}, r"(?s)the selection leaves no row of the pool.*outside_bands 39"),
    ],
)
def test_what_cannot_be_selected_by_is_named(tmp_path, config, over, message):
    with pytest.raises(UserError, match=message):
        selected(tmp_path, config, **over)
