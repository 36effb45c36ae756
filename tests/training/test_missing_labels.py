"""Soft labels that miss rows, or are of other classes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.core.soft_labels import SoftLabels, write_shard
from distill.families.family import fit
from distill.families.tfidf import Tfidf
from distill.pipeline.experiment import Experiment
from distill.pipeline.plan import plan
from distill.pipeline.settings import resolve_settings
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, labelled_rows, soft_rows
from tests.families.lessons import toy_lesson
from tests.pipeline.seeds_project import write_project
from tests.training.toy import SPACE, Watch, write_toy


@pytest.fixture
def records(tmp_path):
    return write_toy(tmp_path / "records", train=24, pool=18)


def store(folder, records, *, without=(), classes=3, seed=1):
    rows = [(split, row.id) for split, row in labelled_rows(records) if row.id not in without]
    logits = np.random.default_rng(seed).normal(0, 2, (len(rows), classes)).astype(np.float32)
    counts = np.ones(len(rows), np.int32)
    ids, sources = [name for _, name in rows], [split for split, _ in rows]
    write_shard(folder, 0, SoftLabels(ids, sources, logits, counts, counts, ["ok"] * len(rows)))
    return folder


def learnt(records, *stores, **options):
    watch, labels = Watch(), Labels({place: Share(0.5) for place in stores}, **options)
    with reporting(watch):
        found = soft_rows(records, labels, SPACE, records.parent)
    ids = [row.id for _, row in labelled_rows(records)]
    soft = {name for name, labelled in zip(ids, found.soft.labelled, strict=True) if labelled}
    return [row.id for row in found.records(records)], soft, watch.notes


def test_labels_of_rows_that_no_record_is_are_refused(records, tmp_path):
    place = store(tmp_path / "labels" / "base", records)
    write_toy(records, train=24, pool=15)
    with pytest.raises(UserError, match=r"(?s)rows that the records do not have.*3 of 42 rows, first: п15, п16, п17"):
        learnt(records, place)
    assert len(soft_rows(records, Labels({place: Share()}, ["train"]), SPACE, tmp_path)) == 24


def test_rows_without_labels_are_counted_and_named(records, tmp_path):
    gone = ["т3", "п0", "п7"]
    place = store(tmp_path / "labels" / "base", records, without=gone)
    found = "3 of 42 rows without logits (train 1 of 24, pool.urls 2 of 18), first: т3, п0, п7"
    with pytest.raises(UserError, match=re.escape(found)) as caught:
        learnt(records, place)
    assert (
        caught.value.exit_code == 2 and "allow_missing: true" in str(caught.value) and str(place) in str(caught.value)
    )
    rows, soft, notes = learnt(records, place, allow_missing=True)
    assert notes == [f"base: {found}"]
    assert soft == {row.id for _, row in labelled_rows(records)} - set(gone)
    assert set(rows) == soft | {"т3"}  # it has gold


def test_two_stores_are_joined_by_id_and_what_both_have_is_counted(records, tmp_path):
    one = store(tmp_path / "one", records, without=["п0", "т1"])
    other = store(tmp_path / "other", records, without=["п1"], seed=2)
    _, soft, notes = learnt(records, one, other, allow_missing=True)
    assert notes[-1] == "labels of 2 teachers joined by id: train 23 of 24, pool.urls 16 of 18"
    assert not {"п0", "п1", "т1"} & soft
    with pytest.raises(UserError, match="2 of 42 rows without logits"):
        learnt(records, one, other)


def test_stores_without_a_common_row_are_no_labels(records, tmp_path):
    ids = [row.id for _, row in labelled_rows(records)]
    stores = [store(tmp_path / name, records, without=own) for name, own in (("a", ids[:20]), ("b", ids[20:]))]
    with pytest.raises(UserError, match="no row that all of them labelled"):
        learnt(records, *stores, allow_missing=True)


def test_labels_of_other_classes_are_named(records, tmp_path):
    stores = [store(tmp_path / "a", records), store(tmp_path / "b", records, classes=4)]
    with pytest.raises(UserError, match=r"of other classes[\s\S]*b\n[\s\S]*4 logits a row, 3 expected") as caught:
        learnt(records, *stores, allow_missing=True)
    assert caught.value.exit_code == 2


def test_every_family_asks(records, tmp_path):
    place = store(tmp_path / "labels", records, without=["п0"])
    (tmp_path / "words").mkdir()
    with pytest.raises(UserError, match="1 of 42 rows without logits"):
        fit("tfidf", Tfidf.Settings(ngrams=1), toy_lesson(records, labels={place: Share()}), tmp_path / "words")
    fit(
        "tfidf",
        Tfidf.Settings(ngrams=1),
        toy_lesson(records, labels={place: Share()}, allow_missing=True),
        tmp_path / "words",
    )


def test_a_file_may_leave_out_rows_where_every_student_that_learns_from_it_allows_it(tmp_path):
    project = write_project(tmp_path)
    (tmp_path / "x.jsonl").touch()
    imported = [f"teachers.new.labels={tmp_path / 'x.jsonl'}", "students.small.allow_missing=true"]

    def config(*sets):
        experiment = Experiment(resolve_settings(project, tmp_path / "run", sets=[*imported, *sets]))
        return next(stage.step.config for stage in plan(experiment) if stage.step.name == "label new")

    assert config() == {"precision": "fp32", "allow_missing": True}
    assert config("students.small.allow_missing=false") == {"precision": "fp32"}
    assert config("students.strict={preset: 3L, layers: 1}") == {"precision": "fp32"}


def test_a_twin_is_the_same_whether_labels_may_miss_rows(tmp_path):
    own = {
        allowed: resolve_settings(
            write_project(tmp_path), tmp_path / "run", sets=[f"students.small.allow_missing={allowed}"]
        ).students["small"]
        for allowed in ("true", "false")
    }
    assert own["true"].on_gold_alone() == own["false"].on_gold_alone()
    assert own["true"].fit_settings() != own["false"].fit_settings()
