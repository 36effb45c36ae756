"""One run of a task with several labels of which one is rare, measured as its project asks."""

from __future__ import annotations

import pytest

from distill.api import run
from distill.report.page import page
from tests.cli.planted_project import read_rows, write_rows
from tests.pipeline.word_project import write_project

SETS = [
    "task={kind: multi, labels: auto, rare: {under: 8, into: other}}",
    "quality={calibrate: true, metric: f1_weighted, baseline: cards}",
    "labels=document",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    project = write_project(folder)
    for split in ("train", "valid", "test"):
        rows = read_rows(folder, split)
        for number, row in enumerate(rows):
            row["label"] = [
                row["label"],
                *(["редко"] if number % 20 == 0 else []),
                *(["мимо"] if number % 7 == 0 else []),
            ]
        write_rows(folder, split, rows)
    return run(project, folder / "run", until="evaluate", sets=SETS)


def test_each_label_has_its_threshold_and_the_rare_one_is_merged(report):
    model = next(one for one in report["models"] if one["name"] == "words@document")
    assert list(model["class_thresholds"]) == report["task"]["labels"] == ["мимо", "рядом", "точно", "other"]
    assert all(0 <= least <= 1 for least in model["class_thresholds"].values())
    assert model["quality"]["at_thresholds"]["f1_micro"]["low"] > 0
    assert report["audit"]["rare"]["classes"] == {"редко": 5}


def test_the_metric_and_the_baseline_are_those_of_the_project(report):
    model = next(one for one in report["models"] if one["name"] == "words@document")
    assert report["baseline"] == "cards@card" and report["metric"] == "f1_weighted"
    assert model["quality"]["over_baseline"]["f1_weighted"]["difference"] == pytest.approx(
        model["quality"]["f1_weighted"]["value"]
        - next(one for one in report["models"] if one["name"] == "cards@card")["quality"]["f1_weighted"]["value"]
    )
    text = page(report)
    for part in ("Thresholds of each label", "Confused classes", "Δ: difference to cards@card", "merged into other"):
        assert part in text
