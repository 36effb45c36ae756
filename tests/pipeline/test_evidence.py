"""Which rows judge an exported file, which it is chosen on, and which fix its scales."""

from __future__ import annotations

import pytest

from distill.core.record_store import read_records
from distill.core.steps import Steps
from distill.pipeline.evidence import chosen_by, evidence_of, record_files
from distill.pipeline.steps.data import records_step
from export.config import load_target
from tests.pipeline.seeds_project import experiment_of, write_project

STATIC = load_target("onnx-int8-static")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    path = write_project(tmp_path_factory.mktemp("evidence"))
    Steps(path.parent / "run", {}, {}).run(records_step(experiment_of(path)))
    return path


def titles(rows):
    return [(row["product.title"], row["page.title"]) for row in rows]


def test_halves_of_validation_judge_and_choose_and_training_rows_calibrate(project):
    found = evidence_of(experiment_of(project), STATIC)
    own = {
        split: set(titles([record.fields for record in read_records(project.parent / "run" / "records", split)]))
        for split in ("train", "valid")
    }
    judging, choosing, calibration = map(titles, (found.judging.rows, found.choosing.rows, found.calibration()))
    assert set(judging) | set(choosing) == own["valid"] and not set(judging) & set(choosing)
    assert calibration and set(calibration) <= own["train"] and not set(calibration) & own["valid"]
    assert found.judging.gold.shape == (len(judging), 3)
    assert (list(found.labels), found.rules) == (["мимо", "рядом", "точно"], (0.9, 0.9))
    assert record_files(experiment_of(project), STATIC) == ("valid.parquet", "train.parquet")


def test_a_target_that_chooses_nothing_is_judged_by_all_of_validation(project):
    found = evidence_of(experiment_of(project), load_target("onnx-int8-qat"))
    assert len(found.judging.rows) == 102 and found.choosing is None
    assert record_files(experiment_of(project), load_target("onnx-int8-qat")) == ("valid.parquet",)


def test_where_answers_are_read_counts_for_what_chooses_by_it(project):
    plain, other = experiment_of(project), experiment_of(project, "quality.precision_at_least=0.8")
    assert chosen_by(plain, STATIC) == {"halves": 1} and chosen_by(plain, load_target("onnx")) == {}
    assert chosen_by(other, STATIC) == {"halves": 1, "rules": {"precision_at_least": 0.8}}
    assert evidence_of(experiment_of(project, "quality.calibrate=false"), STATIC).rules is None
