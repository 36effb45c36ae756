"""Figures at rising sizes of the pool, from predictions of known quality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.core.label_space import LabelSpace
from distill.core.predictions import Predictions, write_predictions
from distill.core.project import Quality
from distill.evaluation.evaluate import Measuring
from distill.evaluation.scaling import flattens_at, scale_figures

MEASURING = Measuring(LabelSpace(("a", "b")), Quality(replicates=200), 1, np.array([0.5, 0.5]))


def write(folder: Path, name: str, rights: dict[str, float], seed: int = 0) -> None:
    """Predictions of 400 rows of each split, of which this share is right."""
    for split, right in rights.items():
        random = np.random.default_rng([seed, len(split)])
        gold = np.arange(400) % 2
        answer = np.where(np.arange(400) < right * 400, gold, 1 - gold)
        logits = np.where(np.arange(2) == answer[:, None], 2.0, 0.0) + random.normal(0, 0.1, (400, 2))
        ids = [f"{split}{i}" for i in range(400)]
        (folder / name).mkdir(parents=True, exist_ok=True)
        target = np.eye(2, dtype=np.float32)[gold]
        write_predictions(
            folder / name / f"{split}.parquet", Predictions(ids, logits.astype(np.float32), target, [""] * 400, ids)
        )


def figures(root: Path, shares: list[tuple[float, float]], seeds: int = 1) -> dict[str, Any]:
    """Of models right on these shares of validation and test."""
    for seed in range(seeds):
        for number, (valid, test) in enumerate(shares):
            write(root / f"{seed}", f"m{number}", {"valid": valid, "test.x": test}, seed)
    folders = {seed: root / f"{seed}" for seed in range(seeds)}
    found: dict[str, Any] = scale_figures([f"m{i}" for i in range(len(shares))], ["test.x"], folders, MEASURING)
    return found


def test_every_pair_of_sizes_is_compared_on_the_same_rows(tmp_path):
    found = figures(tmp_path, [(0.6, 0.65), (0.8, 0.75), (0.8, 0.85)], seeds=2)
    assert [round(one["test"]["f1_macro"]["value"], 2) for one in found["points"]] == [0.65, 0.75, 0.85]
    assert [(one["from"], one["to"]) for one in found["over"]] == [(0, 1), (0, 2), (1, 2)]
    first, _, last = found["over"]
    assert first["valid"]["f1_macro"]["difference"] == pytest.approx(0.2) and first["valid"]["f1_macro"]["low"] > 0.1
    assert last["valid"]["f1_macro"]["difference"] == 0 and last["test"]["f1_macro"]["low"] > 0
    assert set(found["points"][0]["valid"]) == {"f1_macro", "log_loss"}
    rows = [one[split][metric] for one in found["over"] for split in ("valid", "test") for metric in one[split]]
    assert len(rows) == 12 and all(row["p_value"] <= row["p_holm"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("shares", "flat"),
    [
        ([(0.6, 0.9), (0.8, 0.9), (0.8, 0.9)], 2),
        ([(0.8, 0.5), (0.8, 0.7), (0.8, 0.9)], 1),  # on test it rises: that decides nothing
        ([(0.6, 0.5), (0.7, 0.5), (0.9, 0.5)], None),
        ([(0.7, 0.5), (0.7, 0.5), (0.9, 0.5)], None),  # what comes after a flat part counts
        ([(0.9, 0.5), (0.7, 0.5)], 1),
        ([(0.9, 0.5)], None),
    ],
)
def test_it_flattens_where_no_later_size_is_better_on_validation(tmp_path, shares, flat):
    assert flattens_at(figures(tmp_path, shares), "f1_macro") == flat


def test_small_steps_that_come_to_a_gain_together_are_not_flat(tmp_path):
    found = figures(tmp_path, [(0.8, 0.5), (0.85, 0.5), (0.9, 0.5)])
    for pair in found["over"]:
        apart = pair["valid"]["f1_macro"]
        apart["low"] = 0.05 if (pair["from"], pair["to"]) == (0, 2) else -0.01
    assert flattens_at(found, "f1_macro") == 2
    assert flattens_at(figures(tmp_path, [(0.7, 0.5), (0.9, 0.5)]), "log_loss") is None
