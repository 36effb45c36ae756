"""A whole run of models with starts of all kinds: trimmed vocabularies, an encoder of its own, measured layers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from distill.models.fresh import Shape, make_encoder
from tests.cli.planted_project import SIGNS, THINGS, read_rows, write_rows
from tests.tiny_run import distill

UNSEEN = ["купитьстанок", "ремонтировать", "аналоговый", "дрельщик", "пилить"]


def encoder(folder: Path, texts: list[str], width: int) -> Path:
    folder.mkdir()
    make_encoder(texts, folder, Shape(layers=2, width=width, heads=2, vocabulary=400), seed=1)
    return folder


@pytest.fixture(scope="module")
def run(planted, tmp_path_factory):
    """The run, made once: a teacher of width 16, a student of width 24 with another tokenizer."""
    folder = tmp_path_factory.mktemp("starts")
    words = [f"{word} {number}" for number, word in enumerate([*SIGNS, *THINGS, *UNSEEN * 9] * 3)]
    first = encoder(folder / "first", words, 16)
    other = encoder(folder / "other", [f"{word} train valid" for word in words], 24)
    config, made = shutil.copytree(planted.parent, folder / "project") / planted.name, folder / "run"
    rows = read_rows(config.parent, "test")
    for number, row in enumerate(rows):
        row["page"]["title"] += f" {UNSEEN[number % len(UNSEEN)]}"
    write_rows(config.parent, "test", rows)
    sets = [
        *(f"teachers.base.checkpoint={first}", "teachers.base.fresh=null", "teachers.base.vocabulary={keep: seen}"),
        *(f"students.small.start={other}", "students.small.keep=probe", "students.small.vocabulary={}"),
        *("controls={card_teacher: false, gold_twins: false}", "gates={over_gold: null, retention_card: null}"),
    ]
    done = distill(f"--config={config}", f"--out={made}", *(f"--set={one}" for one in sets))
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def vocabulary(folder: Path) -> dict[str, int]:
    return Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()


def test_teacher_and_student_each_have_a_trimmed_vocabulary_of_their_own(run):
    for entry, model in (("base", "teachers/base"), ("small", "students/small")):
        whole, kept = (vocabulary(run / place / entry) for place in ("checkpoints", "trimmed"))
        assert kept.keys() < whole.keys()
        assert vocabulary(run / model) == kept and read(run / model / "config.json")["vocab_size"] == len(kept)
    assert vocabulary(run / "trimmed/base").keys() != vocabulary(run / "trimmed/small").keys()


def test_the_student_has_the_measured_layer_of_its_own_encoder(run):
    measured, config = read(run / "layers/small/layers.json"), read(run / "students/small/config.json")
    assert measured["measured_by"] == "hidden states" and len(measured["removed"]) == 1
    assert (config["hidden_size"], config["num_hidden_layers"]) == (24, 1)
    expected = {"source": "trimmed/small", "layers": measured["layers"], "of": 2, "keep": "probe"}
    assert read(run / "students/small/start.json") == expected


def test_the_report_says_where_models_start_and_what_trimming_changed(run):
    report = read(run / "report.json")
    starts = {one["model"]: one for one in report["starts"]}
    assert starts["small@card"]["keep"] == "probe" and starts["base@document"] == {
        "model": "base@document",
        "source": "trimmed/base",
    }
    trimmed = {(one["start"], one["view"]): one["test"] for one in report["vocabularies"]}
    assert list(trimmed) == [("base", "card"), ("base", "document"), ("small", "card")]
    assert all(one["changed_rows"] == one["rows"] == 60 for one in trimmed.values())
    assert all(0 < one["changed"] < one["tokens"] for one in trimmed.values())
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Trimmed vocabularies" in page and "of 2, by probe" in page


def test_the_bundle_carries_the_students_tokenizer_and_replays(run):
    assert vocabulary(run / "bundles/small") == vocabulary(run / "students/small")
    done = distill("verify", run / "bundles/small")
    assert done.returncode == 0, done.stdout + done.stderr
