"""Training rows labelled by models that never saw their gold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.core.record_store import read_records
from distill.core.soft_labels import read_soft_labels, shard_path
from distill.core.steps import Steps
from distill.families.calibrating import validated_temperature
from distill.families.family import Opening, family_of, fit, open_model
from distill.families.tfidf import Tfidf
from distill.pipeline.plan import plan, stages_until
from distill.pipeline.preflight import require_folds
from teachers.config import LabellingConfig
from teachers.cross_fit import CrossFit, Fold, write_folds
from teachers.engines import local
from teachers.label import LabelOptions, label
from tests.families.lessons import toy_lesson
from tests.pipeline.seeds_project import experiment_of, write_project
from tests.training.toy import DOCUMENT, SPACE, Stop, Watch, write_toy

FOLDS, CONFIG = 3, LabellingConfig(shard_rows=10, precision="fp32")


def ids(folder, split):
    return {record.id for record in read_records(folder, split)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Records, their folds, a teacher of words on all rows and one without each fold."""
    root = tmp_path_factory.mktemp("cross")
    records = write_toy(root / "records", train=60, valid=24, pool=18)
    write_folds(records, FOLDS, 1, root / "folds")
    folds = []
    for number in range(FOLDS + 1):
        own = root / "folds" / str(number) if number else records
        (root / f"words{number}").mkdir()
        lesson = toy_lesson(own, DOCUMENT, "document")
        fit("tfidf", Tfidf.Settings(), lesson, root / f"words{number}")
        folds.append(Fold(root / f"words{number}", own))
    return records, folds[0].model, CrossFit(folds[1:], SPACE.objective)


def labelled(made, folder, cross=True):
    records, teacher, own = made
    label(CONFIG, teacher, records, 1, folder, LabelOptions(own if cross else None))
    found = read_soft_labels(folder)
    return found, dict(zip(found.ids, found.logits, strict=True))


def test_every_row_is_held_out_once_and_keys_stay_together(made):
    records, _, cross = made
    whole = ids(records, "train")
    for fold in cross.folds:
        held_out = ids(fold.records, "held_out")
        assert held_out and ids(fold.records, "train") == whole - held_out
        assert ids(fold.records, "valid") == ids(records, "valid")
        keys = {row.keys["product.id"] for row in read_records(fold.records, "held_out")}
        assert not keys & {row.keys["product.id"] for row in read_records(fold.records, "train")}
    assert sum(len(ids(fold.records, "held_out")) for fold in cross.folds) == len(whole)


def test_each_row_is_labelled_by_the_model_that_was_fitted_without_it(made, tmp_path):
    records, teacher, cross = made
    store, logits = labelled(made, tmp_path / "cross")
    temperature = validated_temperature(teacher, records, SPACE.objective, Opening())
    for fold in cross.folds:
        rows = read_records(fold.records, "held_out")
        own = validated_temperature(fold.model, records, SPACE.objective, Opening())
        expected = family_of(fold.model).open(fold.model).score([row.fields for row in rows]).logits
        found = np.stack([logits[row.id] for row in rows])
        np.testing.assert_allclose(found, expected * temperature / own, rtol=1e-5)
    pool = read_records(records, "pool.urls")
    expected = family_of(teacher).open(teacher).score([row.fields for row in pool]).logits
    np.testing.assert_array_equal(np.stack([logits[row.id] for row in pool]), expected)
    assert set(store.ids) == ids(records, "train") | ids(records, "pool.urls") and len(store) == 78
    assert [source == "train" for source in store.sources] == [True] * 60 + [False] * 18


def test_they_differ_from_what_a_model_says_of_rows_that_it_has_seen(made, tmp_path):
    records = made[0]
    _, cross = labelled(made, tmp_path / "cross")
    _, seen = labelled(made, tmp_path / "seen", cross=False)
    assert all(not np.array_equal(cross[name], seen[name]) for name in ids(records, "train"))
    assert all(np.array_equal(cross[name], seen[name]) for name in ids(records, "pool.urls"))


@pytest.mark.parametrize("stop_at", [20, 24, 12, 18])
def test_a_resumed_run_leaves_equal_labels(made, tmp_path, stop_at):
    whole, _ = labelled(made, tmp_path / "whole")
    watch = Watch(stop_at)
    with reporting(watch), pytest.raises(Stop):
        labelled(made, tmp_path / "cut")
    again, _ = labelled(made, tmp_path / "cut")
    assert again.ids == whole.ids and np.array_equal(again.logits, whole.logits)
    assert [path.name for path in sorted((tmp_path / "cut").iterdir())] == [
        path.name for path in sorted((tmp_path / "whole").iterdir())
    ]


def test_only_the_model_of_a_missing_shard_is_opened(made, tmp_path, monkeypatch):
    whole, _ = labelled(made, tmp_path / "labels")
    shard_path(tmp_path / "labels", 0).unlink()
    opened = []

    def noting(folder, how):
        opened.append(folder.name)
        return open_model(folder, how)

    monkeypatch.setattr(local, "open_model", noting)
    again, _ = labelled(made, tmp_path / "labels")
    assert opened == ["words1"] and np.array_equal(again.logits, whole.logits)


@pytest.fixture
def project(tmp_path) -> Path:
    return write_project(tmp_path)


@pytest.fixture
def words(project):
    """The project with words as its only teacher, and without students."""
    values = load_yaml(project)
    project.write_text(json.dumps({**values, "teachers": {"words": {"preset": "words"}}, "students": {}}), "utf-8")
    return project


def carried_out(project, *sets):
    """The plan up to the labels, and what of it was made anew."""
    steps = Steps(project.parent / "run", {}, {})
    for stage in stages_until(list(plan(experiment_of(project, *sets))), "label"):
        steps.run(stage.step)
    return [stage["name"] for stage in steps.stages if stage["status"] == "done"]


def test_a_run_fits_a_model_for_each_fold_and_none_reads_the_rows_that_it_labels(words):
    project, cross = words, "teachers.words.cross_fit=3"
    done = carried_out(project, cross)
    folds = [f"teach words-fold{number}@document" for number in (1, 2, 3)]
    assert done[-5:] == ["deal 3 folds", *folds, "label words"]
    run = project.parent / "run"
    for number in (1, 2, 3):
        inputs = json.loads((run / f"teachers/words-fold{number}/manifest.json").read_text())["inputs"]
        assert list(inputs) == [f"folds/3: {number}/valid.parquet, {number}/train.parquet"]
        part = run / "folds" / "3" / str(number)
        assert not ids(part, "train") & ids(part, "held_out")
    store = read_soft_labels(run / "labels" / "words")
    assert set(store.ids) == ids(run / "records", "train") | ids(run / "records", "pool.urls") and len(store) == 120
    assert carried_out(project, cross) == []
    assert carried_out(project) == ["label words"]


def test_the_card_teacher_has_folds_too_and_a_copy_takes_those_of_what_it_copies(project):
    sets = ["teachers.new.cross_fit=2", "labels=mean"]
    found = [stage.step.name for stage in plan(experiment_of(project, *sets)) if stage.verb == "label"]
    document, card = (
        [f"teach new{on}-fold{n}@{view}" for n in (1, 2)] for on, view in (("", "document"), ("@card", "card"))
    )
    assert found == ["deal 2 folds", *document, "label new", *card, "label new@card"]
    same = "views.card={left: [product.title], right: [page.title, page.body], max_tokens: 24}"
    found = [
        stage.step for stage in plan(experiment_of(project, *sets[:1], "labels=card", same)) if stage.verb == "label"
    ]
    assert [step.name for step in found] == ["deal 2 folds", *document, *card, "label new@card"]
    assert found[3].upstream == ("teachers/new-fold1",)


def test_folds_are_not_measured_exported_or_made_where_nothing_learns_from_them(project):
    own = experiment_of(project, "teachers.new.cross_fit=2", "labels=card", "teachers.old.cross_fit=2")
    names = [stage.step.name for stage in plan(own)]
    assert not any("fold" in name for name in names if not name.startswith(("teach new@card-fold", "deal")))
    assert not any("fold" in spec.label for spec in own.trained)


def test_dry_run_takes_a_fold_for_a_fit_on_fewer_rows(project):
    own = experiment_of(project, "teachers.new.cross_fit=3")
    steps = {stage.step.name: stage.step for stage in plan(own)}
    rows = {"train": 96, "valid": 10}
    whole, fold = (steps[name].work(rows) for name in ("teach new@document", "teach new-fold2@document"))
    assert fold.like == "teach new@document" and fold.steps == whole.steps * 2 / 3
    assert steps["label new"].work({"train": 96, "pool.urls": 30}).rows == 126


def test_more_folds_than_clusters_are_named_before_anything_is_fitted(project):
    own = experiment_of(project, "teachers.new.cross_fit=91")
    Steps(own.run.path, {}, {}).run(next(iter(plan(own))).step)
    with pytest.raises(UserError, match=r"teachers\.new\.cross_fit[\s\S]*91 folds, 90 values of the first key"):
        require_folds(own)
    require_folds(experiment_of(project, "teachers.new.cross_fit=90"))
