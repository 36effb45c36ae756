"""Every model beside the one that `quality.baseline` names."""

from __future__ import annotations

import pytest

from distill.evaluation.calibrated_predictions import Model
from distill.evaluation.entries import REMEASURED
from distill.evaluation.evaluate import Measuring, evaluate
from tests.evaluation.test_evaluate import (
    MODELS,
    PRIORS,
    REFERENCES,
    SETTINGS,
    SPACE,
    TESTS,
    found_model,
    run,
)
from tests.evaluation.test_evaluate import folder as folder  # noqa: PLC0414


def under(folder, baseline=None, models=MODELS, **changes):
    quality = SETTINGS.model_copy(update=changes)
    measuring = Measuring(SPACE, quality, seed=1, priors=PRIORS, baseline=baseline)
    return evaluate(models, TESTS, REFERENCES, {None: folder}, measuring)


def without_deltas(found):
    blocks = [block for one in found["models"] for block in (one["quality"], *one["tests"].values())]
    taken = [block.pop("over_baseline", None) for block in blocks]
    return taken, {key: value for key, value in found.items() if key != "baseline"}


def test_a_baseline_adds_its_differences_and_changes_nothing_else(folder):
    plain, beside = run(folder), under(folder, "base@card")
    student = found_model(beside, "8L@card")["quality"]
    apart = student["over_baseline"]["accuracy"]
    compared = next(one for one in plain["comparisons"] if one["a"] == "8L@card" and one["metric"] == "accuracy")
    assert {key: compared[key] for key in ("difference", "low", "high", "p_value")} == {
        key: apart[key] for key in ("difference", "low", "high", "p_value")
    }
    assert set(apart) == {"difference", "low", "high", "p_value", "p_holm"} and apart["p_holm"] >= apart["p_value"]
    base = found_model(beside, "base@card")
    positive = SPACE.positive
    for name in ("f1", "precision", "recall", "accuracy"):
        of_class = student["per_class"][positive][name] - base["quality"]["per_class"][positive][name]
        assert student["over_baseline"]["per_class"][positive][name]["difference"] == pytest.approx(of_class)
    seen = found_model(beside, "8L@card")["tests"]["seen"]
    assert seen["over_baseline"]["f1_macro"]["difference"] == pytest.approx(
        seen["f1_macro"]["value"] - base["tests"]["seen"]["f1_macro"]["value"]
    )
    assert beside["baseline"] == "base@card" and "over_baseline" not in base["quality"]
    taken, rest = without_deltas(beside)
    assert any(taken) and rest == plain


def test_a_row_on_another_view_changes_no_p_value_of_the_others(folder):
    again = Model("small@document", REMEASURED, "8L", "document", 8, 700, made_from="8L@card")
    alone, beside = under(folder, "base@card"), under(folder, "base@card", [*MODELS, again])
    for name in ("base@document", "8L@card", "majority", "random"):
        blocks = [found_model(found, name)["quality"]["over_baseline"] for found in (alone, beside)]
        assert blocks[0]["accuracy"]["p_holm"] is not None and blocks[0] == blocks[1]
    apart = found_model(beside, again.name)["quality"]["over_baseline"]
    assert apart["accuracy"]["p_holm"] >= apart["accuracy"]["p_value"]


def test_a_run_judged_by_weighted_f1_compares_models_by_it(folder):
    found = under(folder, metric="f1_weighted")
    assert {row["metric"] for row in found["comparisons"]} == {
        *("accuracy", "f1_macro", "log_loss", "f1_positive", "f1_weighted")
    }
    control = found_model(found, "8L@card")["over_controls"]["random"]
    assert control["metric"] == "f1_weighted"
    assert "f1_weighted" not in {row["metric"] for row in run(folder)["comparisons"]}
