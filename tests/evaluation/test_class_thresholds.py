"""Thresholds of each label, where a record may have several: chosen on validation, measured on test."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.predictions import Predictions, read_predictions, write_predictions
from distill.core.project import Quality
from distill.evaluation.calibrated_predictions import Model, References
from distill.evaluation.class_thresholds import best_thresholds
from distill.evaluation.evaluate import Measuring, evaluate
from distill.report.page import page
from distill.report.tables import markdown_results

SPACE = LabelSpace(("a", "b", "c"), MultiLabel())
ROWS = {"valid": 200, "test.seen": 150}


def predictions(split, seed=0):
    """Labels of which a is never sure enough for 0.5, b is often too sure, and c never occurs in validation."""
    random = np.random.default_rng([len(split), seed])
    target = (random.random((ROWS[split], 3)) < [0.4, 0.4, 0.0 if split == "valid" else 0.2]).astype(np.float32)
    logits = 2 * target + random.normal(size=target.shape) + [-3, 1.5, -1]
    ids = [f"{split}-{index}" for index in range(len(target))]
    return Predictions(ids, logits.astype(np.float32), target, ["" for _ in ids], ids)


@pytest.fixture
def folder(tmp_path):
    for split in ROWS:
        write_predictions(tmp_path / "model" / f"{split}.parquet", predictions(split))
    return tmp_path


def figures(folder, **changes):
    quality, priors = Quality(replicates=100, **changes), np.array([0.4, 0.4, 0.1])
    measuring = Measuring(SPACE, quality, seed=1, priors=priors)
    models = [Model("model", "teacher", "base", "document")]
    return evaluate(models, ["test.seen"], References(None, None), {None: folder}, measuring)


def test_each_threshold_is_the_best_of_its_label_on_validation(folder):
    model = figures(folder)["models"][0]
    valid = predictions("valid")
    chances = 1 / (1 + np.exp(-valid.logits / model["temperature"]))
    for index, label in enumerate("ab"):
        gold, own = valid.target[:, index], chances[:, index]
        best = max(2 * (gold * (own >= least)).sum() / (gold.sum() + (own >= least).sum()) for least in own)
        chosen = model["class_thresholds"][label]
        assert reference.f1_score(gold, own >= chosen) == pytest.approx(best)
    assert model["class_thresholds"]["c"] == 0.5, "validation has no row of it"


def test_figures_at_the_thresholds_are_those_of_scikit_learn(folder):
    model, test = figures(folder)["models"][0], predictions("test.seen")
    chances = 1 / (1 + np.exp(-test.logits / model["temperature"]))
    decided = {
        "at": chances >= np.array([model["class_thresholds"][label] for label in "abc"]),
        "default": chances >= 0.5,
    }
    found = model["quality"]["at_thresholds"]
    for name, block in (("at", found), ("default", found["default"])):
        assert block["accuracy"]["value"] == pytest.approx((decided[name] == test.target).all(axis=1).mean())
        for average in ("macro", "micro"):
            expected = reference.f1_score(test.target, decided[name], average=average, zero_division=0)
            assert block[f"f1_{average}"]["value"] == pytest.approx(expected)
            assert block[f"f1_{average}"]["low"] < expected < block[f"f1_{average}"]["high"]
    assert found["f1_macro"]["value"] > found["default"]["f1_macro"]["value"]
    assert found["per_class"]["a"]["recall"] == pytest.approx(
        reference.recall_score(test.target[:, 0], decided["at"][:, 0])
    )
    assert model["quality"]["f1_macro"]["value"] == found["default"]["f1_macro"]["value"]


def test_test_rows_never_choose(folder):
    before = figures(folder)["models"][0]["class_thresholds"]
    path = folder / "model" / "test.seen.parquet"
    found = read_predictions(path)
    write_predictions(path, Predictions(found.ids, -found.logits, 1 - found.target, found.slices, found.clusters))
    assert figures(folder)["models"][0]["class_thresholds"] == before


def test_without_calibration_nothing_is_chosen(folder):
    model = figures(folder, calibrate=False)["models"][0]
    assert model["temperature"] == 1 and model["thresholds"] is None
    assert "class_thresholds" not in model and "at_thresholds" not in model["quality"]


def test_the_line_is_on_the_page_and_in_markdown_of_such_tasks_alone(folder):
    report = {**figures(folder), "task": {"labels": list("abc"), "kind": "multi"}}
    for text in (page(report), markdown_results(report, "run")):
        assert "Thresholds of each label" in text and "0.5 for all" in text
    for model in report["models"]:
        model["quality"].pop("at_thresholds", None)
    assert "Thresholds of each label" not in page(report)


def test_where_one_label_holds_there_are_none():
    assert best_thresholds(np.eye(2), np.eye(2, dtype=bool), LabelSpace(("a", "b"))) is None
