"""A teacher measured out of fold, and the mean of its folds as a teacher, by the preset `kfold`."""

from __future__ import annotations

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.out_of_fold import read_out_of_fold
from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.core.record_store import read_records
from distill.core.soft_labels import read_soft_labels
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import mixture, tally
from distill.families.family import family_of
from distill.pipeline.estimate import _shortened
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.report.out_of_fold import out_of_fold_sheet
from distill.report.page import page
from distill.report.tables import markdown
from tests.cli.planted_project import write_project

TINY = {
    "teachers.kfold": "{checkpoint: null, fresh: {layers: 1, width: 16, heads: 2, vocabulary: 150}, cross_fit: 3, "
    "training: {epochs: 3, learning_rate: 1e-2, batch_size: 8, precision: fp32, may_collapse: true}}",
    "students.pupil": "{preset: words}",
    "controls": "{card_teacher: false, tfidf: false, random: false, gold_twins: false}",
    "labels": "kfold-kfold",
    "gates": "{teacher_over_priors: null}",
    "export": "[]",
}


def resolved(folder, **changes):
    sets = [f"{key}={value}" for key, value in {**TINY, **changes}.items() if value]
    return resolve_settings(folder / "project.yaml", folder / "run", teachers=["kfold"], students=["pupil"], sets=sets)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The run, up to its figures."""
    folder = tmp_path_factory.mktemp("kfold")
    write_project(folder, {"train": 60, "valid": 54, "test": 36, "pool": 9})
    settings = resolved(folder)
    execute_run(settings, Reporter(), "evaluate")
    return settings, read_json(settings.run / "report.json")


def test_every_training_row_is_answered_by_the_model_that_has_not_seen_it(made):
    settings, _ = made
    found = read_out_of_fold(settings.run / "out_of_fold" / "kfold-kfold")
    rows = {row.id: row for row in read_records(settings.run / "records", "train")}
    assert sorted(found.predictions.ids) == sorted(rows) and set(found.folds.tolist()) == {1, 2, 3}
    for number in (1, 2, 3):
        mine = np.flatnonzero(found.folds == number)
        ids = [found.predictions.ids[place] for place in mine]
        held_out = [row.id for row in read_records(settings.run / "folds" / "3" / str(number), "held_out")]
        assert ids == held_out
        model = settings.run / "teachers" / f"kfold-fold{number}"
        expected = family_of(model).open(model).score([rows[name].fields for name in ids]).logits
        np.testing.assert_allclose(found.predictions.logits[mine], expected, atol=1e-5)


def test_its_quality_stands_in_the_report_with_intervals_next_to_that_on_test_rows(made):
    settings, report = made
    found = read_out_of_fold(settings.run / "out_of_fold" / "kfold-kfold")
    objective = settings.project.task.space.objective
    own = found.predictions.logits / found.temperatures[:, None]
    total = tally(own, found.predictions.target, objective).total()
    (entry,) = report["out_of_fold"]
    assert (entry["model"], entry["folds"], entry["rows"]) == ("kfold-kfold@document", 3, 60)
    for name in ("accuracy", "f1_macro", "log_loss"):
        assert entry[name]["value"] == pytest.approx(float(getattr(total, name)))
        assert entry[name]["low"] <= entry[name]["value"] <= entry[name]["high"]
    lines = markdown(out_of_fold_sheet(report)).splitlines()[2:]
    assert "training rows, out of 3 folds | 60" in lines[0] and "test rows | 36" in lines[1]
    assert "Out of fold each training row" in page(report)


def test_the_mean_of_its_folds_is_a_teacher_in_the_table_and_labels_where_it_is_asked_to(made):
    settings, report = made
    assert ["kfold@document", "kfold-kfold@document"] == [one["name"] for one in report["models"]][:2]
    folder = settings.run / "predictions" / "kfold-kfold@document"
    rows = read_records(settings.run / "records", "test.unseen")
    objective, parts = settings.project.task.space.objective, []
    valid = read_records(settings.run / "records", "valid")
    for number in (1, 2, 3):
        model = settings.run / "teachers" / f"kfold-fold{number}"
        scorer = family_of(model).open(model)
        asked = scorer.score([row.fields for row in valid]).logits
        temperature = fit_temperature(asked, np.stack([row.target for row in valid]), objective)
        parts.append(scorer.score([row.fields for row in rows]).logits / temperature)
    expected = mixture(parts, np.full(3, 1 / 3), objective)
    found = read_predictions(folder / "test.unseen.parquet").logits
    np.testing.assert_allclose(objective.probabilities(found), objective.probabilities(expected), atol=1e-5)
    assert report["choice"]["teachers"] == {"kfold-kfold@document": 1.0}
    labels = read_soft_labels(settings.run / "labels" / "kfold-kfold")
    assert len(labels) == 69 and labels.sources.count("train") == 60


def test_students_start_from_the_teacher_of_all_rows_as_the_mean_has_no_weights(made):
    settings, _ = made
    for preset in ("lstm", "3L_trunc"):
        own = Experiment(resolved(settings.run.parent, **{"students.pupil": f"{{preset: {preset}}}"}))
        assert own.choice["start"] == "kfold-kfold@document"
        assert own.start(own.models["pupil"]).artifact == "teachers/kfold"


def test_the_fits_of_folds_are_in_the_plan_and_in_its_estimate(made):
    settings, _ = made
    names = [stage.step.name for stage in plan(Experiment(settings))]
    order = [
        "deal 3 folds",
        "teach kfold-fold1@document",
        "teach kfold-kfold@document",
        "ask out of fold kfold-kfold@document",
    ]
    assert [names.index(name) for name in order] == sorted(names.index(name) for name in order)
    assert len(names) == len(set(names))
    short = [stage.step.name for stage in plan(Experiment(_shortened(settings, settings.run.parent / "short")))]
    assert {name for name in names if "fold" in name} <= set(short)
    encoder = resolved(
        settings.run.parent, **{"teachers.kfold": "{checkpoint: null}", "students.pupil": "{preset: words}"}
    )
    works = {one.step.name: one.step.work({"train": 600, "valid": 540}) for one in plan(Experiment(encoder))}
    folds = [works[f"teach kfold-fold{number}@document"] for number in range(1, 6)]
    assert {fold.like for fold in folds} == {"teach kfold@document"}
    assert {fold.steps for fold in folds} == {10 * 480 // 16} and works["teach kfold@document"].steps == 375


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teachers.kfold": "{cross_fit: null}"}, "teachers.kfold.kfold: there are no folds; write how many"),
        ({"labels": "kfold-kfld"}, "labels: unknown 'kfold-kfld', did you mean 'kfold-kfold'?"),
        ({"teachers.kfold": "{rows: old}", "data.extra": "{old: train.jsonl}"}, "kfold.rows: cross_fit deals out"),
        ({"teachers.kfold-kfold": "{preset: words}"}, "the ending '-kfold' is kept"),
    ],
)
def test_what_folds_cannot_be_is_named(made, changes, said):
    with pytest.raises(UserError) as caught:
        resolve_settings(
            made[0].run.parent / "project.yaml",
            made[0].run.parent / "no",
            sets=[
                f"{key}={value}"
                for key, value in {
                    "teachers.kfold": "{}",
                    "labels": "kfold-kfold",
                    "gates": "{teacher_over_priors: null}",
                    **changes,
                }.items()
            ],
        )
    assert said in str(caught.value) and caught.value.exit_code == 2


def test_too_few_rows_for_an_interval_are_told_before_anything_is_fitted(tmp_path):
    write_project(tmp_path, {"train": 24, "valid": 54, "test": 36, "pool": 9})
    with pytest.raises(UserError, match="an interval needs at least 30") as caught:
        execute_run(resolved(tmp_path), Reporter(), "evaluate")
    assert caught.value.where == "train" and not (tmp_path / "run" / "teachers").exists()
