"""Two models of a run side by side: overall, slice by slice, over one seed and over several."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.core.predictions import read_predictions, write_predictions
from distill.core.sealed import write_sealed
from distill.evaluation.compare import compare, compare_by
from distill.evaluation.evaluate import Measuring, evaluate
from distill.report.breakdown_tables import slice_rows_sheet, slices_across_sheet
from distill.report.tables import markdown
from tests.evaluation.test_evaluate import MODELS, PRIORS, REFERENCES, ROWS, SETTINGS, SPACE, TESTS, predictions
from tests.evaluation.test_over_seeds import seeded

A, B = "8L@card", "base@card"


def write_run(run, made):
    for name in (A, B, "base@document"):
        for split in ROWS:
            write_predictions(run / "predictions" / name / f"{split}.parquet", made(name, split))
        write_manifest(run / "predictions" / name, {"step": "predict"})


def write_config(run, **more):
    task = {"labels": list(SPACE.labels), "positive": SPACE.positive}
    write_json(
        run / "run.json", {"config": {"task": task, "quality": SETTINGS.as_json(), "seed": 1, **more}, "stages": []}
    )


@pytest.fixture
def run(tmp_path):
    write_run(tmp_path, predictions)
    write_config(tmp_path)
    return tmp_path


@pytest.fixture
def seeds_run(tmp_path):
    folder = tmp_path / "seeds"
    for seed in (1, 2):
        write_run(folder / f"seed-{seed}", lambda name, split, seed=seed: seeded(name, split, seed))
    write_config(folder, seeds=[1, 2, 3])
    write_sealed(folder / "report.json", {"seeds": [1, 2]})
    return folder


def right(model, slice_=None, made=predictions):
    """Whether each test row is right, of one slice or of all."""
    parts = [made(model, test) for test in sorted(TESTS)]
    hits = np.concatenate([part.logits.argmax(1) == part.target.argmax(1) for part in parts])
    names = np.array([name for part in parts for name in part.slices])
    return hits if slice_ is None else hits[names == slice_]


def test_overall_it_is_the_comparison_of_the_report(run):
    measuring = Measuring(SPACE, SETTINGS, 1, PRIORS)
    found = evaluate(MODELS, sorted(TESTS), REFERENCES, {None: run / "predictions"}, measuring)
    assert compare(run, A, B) == found["comparisons"]


def test_each_slice_is_measured_on_its_own_rows_and_all_come_last(run):
    found = compare_by(run, A, B, "slice")
    assert [row["name"] for row in found["rows"]] == ["аптека", "стройка", None]
    for row in found["rows"]:
        a, b = right(A, row["name"]), right(B, row["name"])
        assert (row["rows"], row["a"], row["b"]) == (len(a), pytest.approx(a.mean()), pytest.approx(b.mean()))
        assert row["difference"] == pytest.approx(a.mean() - b.mean())
        assert row["low"] <= row["difference"] <= row["high"] and 0 < row["p_value"] <= 1
    overall = next(row for row in compare(run, A, B) if row["metric"] == "accuracy")
    assert all(found["rows"][-1][key] == overall[key] for key in ("difference", "low", "high", "p_value"))


def test_a_slice_of_few_clusters_has_no_interval_and_says_so(run):
    for name in (A, B):
        for test in TESTS:
            path = run / "predictions" / name / f"{test}.parquet"
            part = read_predictions(path)
            slices = ["редкое" if index < 14 else "частое" for index in range(len(part.ids))]
            write_predictions(path, dataclasses.replace(part, slices=slices))
        write_manifest(run / "predictions" / name, {"step": "predict"})
    found = compare_by(run, A, B, "slice")
    rare, common, _ = found["rows"]
    assert rare["clusters"] == 14 and rare["difference"] is not None
    assert (rare["low"], rare["high"], rare["p_value"]) == (None, None, None)
    assert common["low"] is not None
    assert "Under 30 clusters, so without interval: редкое." in slice_rows_sheet(found).caption


def test_over_seeds_the_accuracies_are_means(seeds_run):
    found = compare_by(seeds_run, A, B, "slice")
    assert found["seeds"] == [1, 2]
    for row in found["rows"]:
        means = [
            np.mean([right(name, row["name"], lambda n, s, seed=seed: seeded(n, s, seed)).mean() for seed in (1, 2)])
            for name in (A, B)
        ]
        assert (row["a"], row["b"]) == (pytest.approx(means[0]), pytest.approx(means[1]))
        assert row["difference"] == pytest.approx(means[0] - means[1])
    assert "mean of seeds 1, 2" in slice_rows_sheet(found).caption
    assert all(len(row["spread"]) == 2 for row in compare(seeds_run, A, B))


def test_tables_down_and_across_hold_the_same_figures(run):
    found = compare_by(run, A, B, "slice")
    across = markdown(slices_across_sheet(found)).splitlines()
    assert across[0].startswith("| Model | аптека (") and "all (130 rows) |" in across[0]
    assert [line.split("|")[1].strip() for line in across[2:]] == [f"`{A}`", f"`{B}`", f"`{A} − {B}`"]
    down = markdown(slice_rows_sheet(found))
    for row in found["rows"]:
        for key in ("a", "b"):
            assert f"{100 * row[key]:.2f}" in down and f"{100 * row[key]:.2f}" in across[2 if key == "a" else 3]


def test_mistakes_are_named(run, seeds_run, tmp_path):
    with pytest.raises(UserError, match=r"unknown breakdown[\s\S]*--by[\s\S]*known: slice"):
        compare_by(run, A, B, "slise")
    with pytest.raises(UserError, match=r"8L@crad[\s\S]*did you mean '8L@card'"):
        compare_by(seeds_run, "8L@crad", B, "slice")
    with pytest.raises(UserError, match="no run here"):
        compare(tmp_path / "absent", A, B)
    write_sealed(seeds_run / "report.json", {"seeds": []})
    with pytest.raises(UserError, match="no seed of this run has been evaluated"):
        compare(seeds_run, A, B)


def test_rows_without_slices_are_an_error(run):
    for name in (A, B):
        for test in TESTS:
            path = run / "predictions" / name / f"{test}.parquet"
            part = read_predictions(path)
            write_predictions(path, dataclasses.replace(part, slices=[""] * len(part.ids)))
        write_manifest(run / "predictions" / name, {"step": "predict"})
    with pytest.raises(UserError, match=r"no slices[\s\S]*data\.slice"):
        compare_by(run, A, B, "slice")


def test_predictions_that_were_changed_are_named(run):
    part = run / "predictions" / B / f"{sorted(TESTS)[0]}.parquet"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(UserError, match=part.name):
        compare(run, A, B)


@pytest.mark.parametrize(
    "state", ["[]", "{}", "garbage", '{"config": {}, "stages": []}', '{"config": 3, "stages": []}']
)
def test_a_state_that_no_run_wrote_is_named(run, state):
    (run / "run.json").write_text(state)
    with pytest.raises(UserError, match=r"run\.json"):
        compare(run, A, B)
