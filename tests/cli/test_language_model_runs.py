"""Whole runs in which a language model behind a real HTTP server is the teacher."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.subjects import find
from distill.api import run as make
from distill.core.errors import UserError
from distill.core.predictions import read_predictions
from distill.core.progress import Reporter
from distill.core.soft_labels import read_soft_labels
from distill.families.family import is_remote
from distill.families.http_llm import HttpLlm
from distill.pipeline.experiment import Experiment
from distill.pipeline.outlook import outlook
from distill.pipeline.plan_lines import plan_lines
from distill.pipeline.requests_outlook import request_lines
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps.bench import bench_step
from tests.cli.planted_project import LABELS, SIGNS, read_rows, write_project
from tests.http_server import serving

OTHERS = {label: 0.05 for label in LABELS}
# The server is right about all rows but some, of which it is less sure; two it never answers.
TABLE = {
    "фреза": {LABELS[0]: 0.4, LABELS[1]: 0.3, LABELS[2]: 0.3},
    **{sign: {**OTHERS, label: 0.9} for sign, label in zip(SIGNS, LABELS, strict=True)},
}
SILENT = {"train 7\n": 500, "test 7\n": 500}
MODELS = """
teachers:
  llm: {preset: http_llm, url: "URL", model: test-7b, examples: 2, parallel: 4, tries: 2, back_off_s: 0.01,
        labelling: {shard_rows: 32}, spend: {limit: 50, per_million_input: 1000, per_million_output: 1000}}
students: {words: {preset: words}}
export: []
"""


class Told(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def project(folder: Path, url: str, models: str = MODELS) -> Path:
    path = write_project(folder)
    text = path.read_text(encoding="utf-8")
    start, end = text.index("teachers:"), text.index("gates:")
    path.write_text(text[:start] + models.replace("URL", url) + text[end:], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def server():
    with serving(TABLE, always=SILENT) as found:
        yield found


@pytest.fixture(scope="module")
def done(server, tmp_path_factory):
    """A run that stops for lack of money and goes on with more, what it told, and the requests of its two starts."""
    config, told = project(tmp_path_factory.mktemp("llm") / "project", server.url), Told()
    with pytest.raises(UserError, match="the spending limit is reached") as caught:
        make(config, config.parent / "run", until="label", sets=["teachers.llm.spend.limit=6"])
    assert "teachers.llm.spend.limit" in str(caught.value) and caught.value.exit_code == 2
    first = len(server.asked)
    report = make(config, config.parent / "run", until="evaluate", reporter=told)
    return config, report, told.notes, (first, len(server.asked))


def test_it_labels_a_student_learns_and_both_are_in_the_table(done):
    config, report, _, _ = done
    models = {model["name"]: model for model in report["models"]}
    assert {"llm@document", "words@card", "words-gold@card", "tfidf@card", "majority"} <= set(models)
    llm = models["llm@document"]
    assert (llm["role"], llm["preset"], llm["layers"], llm["parameters"]) == ("teacher", "http_llm", None, None)
    assert 0.6 < llm["quality"]["accuracy"]["value"] < 1
    assert models["words@card"]["quality"]["accuracy"]["value"] > 0.5
    labels = read_soft_labels(config.parent / "run" / "labels" / "llm")
    assert len(labels) == 90 + 40
    failed = [name for name, status in zip(labels.ids, labels.status, strict=True) if status != "ok"]
    assert failed == ["train-7"] and set(labels.status) == {"ok", "failed"}
    sure = np.exp(labels.logits[0]) / np.exp(labels.logits[0]).sum()
    np.testing.assert_allclose(sorted(sure), [0.05, 0.05, 0.9], atol=1e-6)
    assert "llm@document" in (config.parent / "run" / "report.html").read_text(encoding="utf-8")


def test_it_is_neither_timed_nor_exported_and_reads_no_cards(done):
    config, report, _, _ = done
    experiment = Experiment(resolve_settings(config, config.parent / "run"))
    assert [spec.label for spec in experiment.timed] == ["words@card"] and experiment.cross_view is None
    assert bench_step(experiment).config["left_out"] == ["llm@document"]
    with pytest.raises(UserError, match="no teacher on documents"):
        find(config.parent / "run")
    assert not any(name["name"].startswith("llm@document>") for name in report["models"])
    assert is_remote(config.parent / "run" / "teachers" / "llm")


def test_each_row_is_asked_and_paid_once_over_both_starts_and_the_cost_is_told(done, server):
    _, _, notes, (first, both) = done
    asked = Counter(server.prompts[:both])
    assert len(asked) == 90 + 100 + 60 + 40 and 100 < first < 160
    twice = [prompt for prompt, times in asked.items() if times > 1]
    assert all(re.search(r"(train|test) 7\n", prompt) for prompt in twice) and len(twice) == 2
    last = [note for note in notes if note.startswith("test-7b")][-1]
    assert f"{288 * 52 / 1000:.4g} spent of 50 in this run" in last and "1 without an answer" in last


def test_a_row_without_an_answer_counts_as_equal_chances_where_it_is_measured(done):
    config, _, notes, _ = done
    test = read_predictions(config.parent / "run" / "predictions" / "llm@document" / "test.unseen.parquet")
    silent = test.ids.index("test-7")
    assert (test.logits[silent] == 0).all() and (test.logits != 0).any(axis=1).sum() == 59
    assert any("1 of 60 rows are without an answer" in note for note in notes)


def test_prompt_and_model_are_in_the_artifact_and_examples_are_training_rows(done, server):
    config, _, _, _ = done
    folder = config.parent / "run" / "teachers" / "llm"
    stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))["distill"]
    assert stored["language_model"]["model"] == "test-7b" and stored["language_model"]["url"] == server.url
    assert not {"parallel", "spend", "key_from", "max_failed"} & set(stored["language_model"])
    titles = {row["product"]["title"]: row["label"] for row in read_rows(config.parent, "train")}
    for text, label in stored["shown"]:
        assert titles[text.splitlines()[0]] == LABELS[label]
    assert len({label for _, label in stored["shown"]}) == 2


def test_what_changes_no_answer_asks_nothing_again(done, server):
    config, before = done[0], len(server.asked)
    make(config, config.parent / "run", until="label", sets=["teachers.llm.parallel=2", "teachers.llm.tries=1"])
    assert len(server.asked) == before
    states = json.loads((config.parent / "run" / "run.json").read_text(encoding="utf-8"))["stages"]
    assert {one["name"]: one["status"] for one in states}["label llm"] == "skipped"


def test_a_dry_run_tells_requests_and_cost_and_asks_nothing(done, server):
    config, before = done[0], len(server.asked)
    settings = resolve_settings(config, config.parent / "run", sets=["teachers.llm.prompt='{record} ? {choices}'"])
    lines = plan_lines(outlook(settings), settings.run)
    assert len(server.asked) == before
    predict, label = (line for line in lines if line.startswith("requests"))
    assert "predict llm@document: 160 requests, about" in predict and "of at most 50" in predict
    assert "label llm: 130 requests, about" in label and any(re.match(r"  maybe +label llm", line) for line in lines)


def test_requests_for_what_a_server_is_a_member_of_are_told_once(done, monkeypatch):
    config = done[0]
    teachers = ["both={preset: ensemble, members: {llm: 1, own: 1}}", "own={preset: words}", "llm.prompt='{record}?'"]
    all_of = "all={preset: ensemble, members: {both: 1, own: 1}}"
    sets = [f"teachers.{one}" for one in (*teachers, all_of)]
    experiment = Experiment(resolve_settings(config, config.parent / "run", sets=sets))

    def told(*to_do):
        return [line.partition(" requests")[0] for line in request_lines(experiment, to_do)]

    asking = ["predictions/llm@document", "predictions/both@document", "labels/both", "labels/all", "labels/own"]
    assert told(*asking) == ["predict llm@document: 160", "label both by llm: 130"]
    assert told("predictions/all@document", "labels/all") == [
        "predict all@document by llm: 160",
        "label all by llm: 130",
    ]
    assert told("labels/llm", "labels/both") == ["label llm: 130"]
    monkeypatch.setattr(HttpLlm, "outlay", lambda *_: None)
    assert "label both by llm: 130 rows to ask a server about, at a cost that is not known" in told("labels/both")[0]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("words={верно: да}", "teachers.llm.words: unknown label 'верно'"),
        ("words={мимо: да, рядом: 'да, но'}", "'да' and 'да, но' begin alike"),
        ("words={мимо: no_match, рядом: 'No match'}", "'no match' and 'no match' begin alike"),
        ("url=https://name:secret@host/v1", "teachers.llm.url"),
        ("prompt=нет места", "{record} is missing"),
        ("prompt='{record} {лейблы}'", "unknown place {лейблы}"),
        ("key_from=NO_SUCH_KEY_OF_OURS", "the key of the server is not set"),
        ("slices=[a]", "teachers.llm.slices: the family http_llm is not trained"),
        ("parameters={n: 2}", "teachers.llm.parameters"),
    ],
)
def test_what_cannot_be_asked_is_named_before_anything_is(done, server, setting, message):
    config, before = done[0], len(server.asked)
    with pytest.raises(UserError) as caught:
        make(config, config.parent / "wrong", until="teach", sets=[f"teachers.llm.{setting}"])
    assert message in str(caught.value) and caught.value.exit_code == 2 and len(server.asked) == before


CASCADE = """
teachers:
  cascade:
    keywords: {мимо: [ремонт], рядом: [аналог]}
    labelling: {shard_rows: 32}
    stages:
      - {stage: keywords, threshold: 0.5}
      - {stage: language_model, threshold: 0.5, server: {url: "URL", model: test-7b, WAY}}
students: {words: {preset: words}}
export: []
"""
PRICES = "per_million_input: 1000, per_million_output: 1000"


def test_a_cascade_goes_on_with_more_money_shard_by_shard_and_asks_nothing_twice(tmp_path):
    def label(way):
        config = project(tmp_path, server.url, CASCADE.replace("WAY", way))
        make(config, tmp_path / "run", until="label")

    def shards(folder):
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run" / "labels" / folder).glob("shard*")}

    with serving(TABLE) as server:
        with pytest.raises(UserError, match="the spending limit is reached"):
            label(f"parallel: 1, spend: {{limit: 4.3, {PRICES}}}")
        before = shards("cascade.partial")
        label(f"spend: {{limit: 50, {PRICES}}}")
        after = shards("cascade")
        assert len(before) in (1, 2, 3) and before.items() <= after.items() and len(after) == 5
        asked = Counter(server.prompts)
        assert set(asked.values()) == {1}
        label("parallel: 2, tries: 1")
        assert shards("cascade") == after and len(server.prompts) == len(asked)
