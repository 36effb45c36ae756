"""Rows of different shards that read alike: scored once, and all with the same answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.core.label_origin import origin_of_file
from distill.core.progress import reporting
from distill.core.record_store import read_records, write_records
from distill.core.records import Record
from distill.core.run_folder import LABEL_CARD
from distill.core.soft_labels import LabelStore, read_shard, read_soft_labels, shard_files, shard_path
from distill.core.view import View
from distill.families.family import fit, views_read
from distill.families.tfidf import Tfidf, WordScorer
from distill.inference.scorer import Scorer
from teachers import copies as copies_module
from teachers.config import LabellingConfig
from teachers.cross_fit import HELD_OUT, CrossFit, Fold
from teachers.engines import local
from teachers.label import LabelOptions, label
from teachers.shards import parts
from tests.families.lessons import toy_lesson
from tests.teachers.engines.words_teacher import Words, contents
from tests.training.toy import DOCUMENT, SPACE, Watch, toy_records, write_unlike_toy

ROWS = 10


def alike(folder: Path) -> Path:
    """Records in which 24 training rows are unlike, and of 40 of the pool every third is a training row's document with
    another url, every seventh one that the pool had before.
    """
    write_unlike_toy(folder, pool=40)
    train, pool = read_records(folder, "train"), read_records(folder, "pool.urls")
    texts = [row.fields for row in pool]
    for number in range(len(pool)):
        if number % 3 == 0:
            texts[number] = train[number % 24].fields
        elif number % 7 == 0:
            texts[number] = texts[number - 7]
    own = [replace(row, fields={**fields, "page.url": row.id}) for row, fields in zip(pool, texts, strict=True)]
    write_records(folder / "pool.urls.parquet", own)
    return folder


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A teacher of words, with records of which many read alike, and their labels."""
    root = tmp_path_factory.mktemp("alike")
    records, teacher = alike(root / "records"), root / "teachers" / "words"
    teacher.mkdir(parents=True)
    fit("tfidf", Tfidf.Settings(), toy_lesson(records, DOCUMENT, "document"), teacher)
    found = Words(teacher, records, root / "whole", ROWS)
    found.label(found.whole)
    return found


@pytest.fixture
def asked(monkeypatch):
    """The number of rows that the model of words was asked for, in calls."""
    found, answer = [], WordScorer.answer
    monkeypatch.setattr(
        WordScorer, "answer", lambda self, rows, *told: found.append(len(rows)) or answer(self, rows, *told)
    )
    return found


def silent(monkeypatch):
    """Let models not say what they read, so that every row is scored."""
    monkeypatch.setattr(Tfidf, "reads_view", False)
    monkeypatch.setattr(WordScorer, "keys", Scorer.keys)


def by_id(folder: Path) -> dict[str, tuple[object, ...]]:
    """All of a store by record id."""
    store = read_soft_labels(folder)
    columns = store.sources, store.logits.tolist(), store.tokens.tolist(), store.cut_tokens.tolist(), store.status
    return dict(zip(store.ids, zip(*map(str_list, columns), strict=True), strict=True))


def str_list(column):
    """Values that compare as equal where they are."""
    return [str(value) for value in column]


def test_rows_of_different_shards_that_read_alike_are_scored_once_with_the_labels_of_each_scored(
    words, tmp_path, asked, monkeypatch
):
    watch = Watch()
    with reporting(watch):
        words.label(tmp_path / "once")
    scored, renderer = sum(asked), View.load(words.teacher).renderer()
    rows = [row for split in ("train", "pool.urls") for row in read_records(words.records, split)]
    assert scored == len({renderer.text(row.fields) for row in rows}) < 50
    silent(monkeypatch)
    words.label(tmp_path / "each")
    once, each = by_id(tmp_path / "once"), by_id(tmp_path / "each")
    assert once == each and len(once) == 64 and sum(asked) - scored == 64
    assert f"{64 - scored} of 64 rows read like another one: scored once" in watch.notes
    assert f"| scored once | {64 - scored} rows" in (tmp_path / "once" / LABEL_CARD).read_text()
    assert len(LabelStore(tmp_path / "once").ids) == 64


def test_each_row_is_in_one_shard_and_what_is_copied_stands_in_an_earlier_one(words):
    (part,) = parts(words.teacher, words.records, ROWS)
    assert [one.index for one in part.planned] == list(range(len(part.planned))) == [
        int(path.stem.partition("-")[2]) for path in shard_files(words.whole)
    ]  # fmt: skip
    store = read_soft_labels(words.whole)
    assert len(set(store.ids)) == 64 == len(store)
    for one in part.copies:
        own = read_shard(shard_path(words.whole, one.shard.index))
        for row, (number, place) in enumerate(zip(one.numbers, one.places, strict=True)):
            like = read_shard(shard_path(words.whole, int(number)))
            assert number < min(other.shard.index for other in part.copies)
            assert np.array_equal(own.logits[row], like.logits[place]) and own.tokens[row] == like.tokens[place]
        origin = origin_of_file(shard_path(words.whole, one.shard.index))
        assert origin is not None and origin.rows == one.shard.extent and origin.precision == "fp32"


def test_lost_copies_are_made_again_without_the_model_and_a_lost_shard_alone_by_it(words, tmp_path, asked, monkeypatch):
    words.label(tmp_path)
    (part,) = parts(words.teacher, words.records, ROWS)
    shard_path(tmp_path, part.copies[0].shard.index).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(local, "open_model", pytest.fail)
        words.label(tmp_path)
    assert words.is_whole(tmp_path)
    asked.clear()
    shard_path(tmp_path, 1).unlink()
    words.label(tmp_path)
    assert words.is_whole(tmp_path) and len(asked) == 1 and 0 < asked[0] <= len(part.shards[1])


def test_blocks_of_copies_do_not_change_them(words, tmp_path, monkeypatch):
    monkeypatch.setattr(copies_module, "_MOST_ROWS", 1)
    words.label(tmp_path)
    assert words.is_whole(tmp_path)


def test_a_shard_of_nothing_but_repeats_does_not_exist(words, tmp_path):
    """Of 24 training rows and 30 of the pool, all alike, the third shard has the first six of the pool."""
    records, (first, *_) = write_unlike_toy(tmp_path / "records"), toy_records("т", 1)
    write_records(records / "pool.urls.parquet", [Record(f"п{row}", first.fields) for row in range(30)])
    (part,) = parts(words.teacher, records, ROWS)
    replace(words, records=records).label(tmp_path / "store")
    assert [len(one) for one in part.shards] == [10, 10, 10] and [len(one.shard) for one in part.copies] == [10, 10, 4]
    store = read_soft_labels(tmp_path / "store")
    assert len(set(store.ids)) == 54 == len(store)


def test_by_ray_and_through_storage_as_by_one_process(words, tmp_path):
    pytest.importorskip("ray")
    place = f"file://{tmp_path}/shared"
    words.label(tmp_path / "store", engine="ray", workers=2, store=place)
    assert words.is_whole(tmp_path / "store")
    assert words.kept(place, "store").names() == {"manifest.json", *contents(words.whole)}


def test_a_training_row_has_the_answer_of_its_fold_and_a_row_of_the_pool_that_of_the_teacher(words, tmp_path):
    """Though they read alike: they are asked of two models."""
    fold = tmp_path / "fold"
    records = alike(tmp_path / "records")
    write_records(fold / f"{HELD_OUT}.parquet", read_records(records, "train"))
    for name in ("train", "valid"):
        write_records(fold / f"{name}.parquet", toy_records("ф", 12))
    other = tmp_path / "teachers" / "fold"
    other.mkdir(parents=True)
    fit("tfidf", Tfidf.Settings(), toy_lesson(fold, DOCUMENT, "document"), other)
    options = LabelOptions(CrossFit([Fold(other, fold)], SPACE.objective))
    config = LabellingConfig(shard_rows=ROWS, precision="fp32")
    label(config, words.teacher, records, 1, tmp_path / "crossed", options)
    crossed, plain = by_id(tmp_path / "crossed"), by_id(words.whole)
    assert set(crossed) == set(plain)
    same = {name for name in crossed if crossed[name] == plain[name]}
    assert {name for name in crossed if crossed[name][0] == "pool.urls"} == same
    for path in shard_files(tmp_path / "crossed"):
        origin, labels = origin_of_file(path), read_shard(path)
        assert (origin.factor is not None) == (origin.model is not None) == (set(labels.sources) == {"train"})


def test_a_model_that_does_not_say_what_it_reads_has_no_copies(words, monkeypatch):
    assert views_read(words.teacher) == [DOCUMENT]
    silent(monkeypatch)
    assert views_read(words.teacher) is None
    (part,) = parts(words.teacher, words.records, ROWS)
    assert not part.copies and sum(map(len, part.shards)) == 64
