"""Every shipped preset loads, and an entry of the project is laid on top of its preset."""

from __future__ import annotations

import re

import pytest

from distill.core.errors import UserError
from distill.core.presets import load_preset, own_presets, preset_names, preset_text, resolve
from distill.pipeline.entries import student_entry, teacher_entry
from export.config import load_target
from students.config import StudentConfig
from teachers.config import TeacherConfig

# What a preset leaves to the entry of the project.
MORE = {
    "ensemble": {"members": {"base": 1, "words": 1}},
    "http_llm": {"url": "http://localhost:8000/v1", "model": "a-7b"},
}


@pytest.mark.parametrize(
    ("entry", "name"),
    [(teacher_entry, name) for name in preset_names("teachers")]
    + [(student_entry, name) for name in preset_names("students")],
)
def test_every_preset_of_a_model_loads(entry, name, tmp_path):
    assert entry(name, MORE.get(name, {}), "project.yaml", tmp_path).preset == name


@pytest.mark.parametrize("name", preset_names("export"))
def test_every_export_preset_loads(name):
    assert load_target(name).name == name


def test_the_promised_presets_are_there():
    assert {"base"} <= set(preset_names("teachers"))
    assert {"8L", "8L_trunc", "6L", "6L_trunc"} <= set(preset_names("students"))
    assert {"onnx", "onnx-int8"} <= set(preset_names("export"))


def test_a_preset_that_names_a_hub_id_says_what_it_fetches_and_how_large_that_is():
    fetched = 0
    for name in preset_names("teachers"):
        given, first = load_preset("teachers", name, "x").get("checkpoint") or "", preset_text("teachers", name)
        if "/" in given:
            fetched += 1
            assert given.partition("@")[0] in first.partition("\n")[0], name
            assert re.search(r"\d+ layers x \d+, [\d.]+ (m|b)illion parameters", first.partition("\n")[0]), name
    assert fetched > 10


def test_an_entry_takes_the_preset_of_its_name_or_the_one_it_names():
    preset = resolve("students", StudentConfig, "8L_trunc", {}, "x")
    entry = {"preset": "8L_trunc", "temperature": 5, "training": {"batch_size": 7}}
    found = resolve("students", StudentConfig, "мой", entry, "x")
    assert (found.layers, found.keep, found.temperature, found.training.batch_size) == (8, "first", 5, 7)
    assert found.training.epochs == preset.training.epochs
    assert preset.layers == 8 and preset.temperature != 5


def test_an_unknown_preset_names_the_nearest_one():
    with pytest.raises(UserError, match=r"unknown student preset[\s\S]*8L_trnc[\s\S]*did you mean '8L_trunc'"):
        resolve("students", StudentConfig, "8L_trnc", {}, "project.yaml")
    with pytest.raises(UserError, match=r"unknown teacher preset[\s\S]*teachers\.a\.preset"):
        resolve("teachers", TeacherConfig, "a", {"preset": "../base"}, "project.yaml")


def test_all_problems_of_an_entry_carry_its_place():
    with pytest.raises(UserError) as caught:
        resolve("students", StudentConfig, "8L", {"temprature": 2, "training": {"epochs": 0}}, "project.yaml")
    message = str(caught.value)
    assert "students.8L.temprature: unknown, did you mean 'temperature'?" in message
    assert "students.8L.training.epochs: " in message and "2 problems" in message


def test_a_preset_is_the_content_of_its_file():
    assert load_preset("students", "8L_trunc", "x")["layers"] == 8


TRAINING = {
    "epochs": None,
    "max_steps": None,
    "early_stopping": None,
    "patience": 4,
    "evaluate_steps": None,
    "average": 7.0,
    "ema": None,
    "ceiling_steps": 30_000,
    "ceiling_minutes": 240.0,
    "objective": {"cross_entropy": {}},
    "label_smoothing": 0.0,
    "class_weights": None,
    "oversample": None,
    "batch_size": 32,
    "accumulate": 1,
    "optimiser": "adamw",
    "learning_rate": None,
    "final_learning_rate": 0.0,
    "head_rate": 1.0,
    "layer_decay": 1.0,
    "warmup": 0.1,
    "schedule": "linear",
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "dropout": None,
    "head_dropout": None,
    "cheap_dropout": False,
    "alter": {"field_dropout": 0.0, "word_dropout": 0.0, "swapped": None},
    "lora": None,
    "precision": "auto",
    "embeddings": "train",
    "last_layer": "whole",
    "gradient_checkpointing": False,
    "checkpoint": "best",
    "keep_evaluated": False,
    "may_collapse": False,
    "save_steps": 100,
}
FRESH_LABELLING = {
    "shard_rows": 2048,
    "batch_tokens": 4096,
    "half": False,
    "precision": "auto",
    "precision_limit": 0.1,
    "backend": "torch",
    "unpadded": False,
    "compiled": False,
    "tokenisers": 0,
}


@pytest.mark.parametrize("keep", ["spread", "first"])
@pytest.mark.parametrize("layers", [3, 4, 6, 8])
def test_what_a_student_preset_comes_to(layers, keep):
    """Runs are redone when any of this changes."""
    name = f"{layers}L_trunc" if keep == "first" else f"{layers}L"
    assert resolve("students", StudentConfig, name, {}, "x").as_json() == {
        "preset": name,
        "family": "encoder",
        "view": "card",
        "learns_from": None,
        "rows": ["all"],
        "allow_missing": False,
        "layers": layers,
        "keep": keep,
        "token_schedule": None,
        "head": None,
        "init": "teacher",
        "source": None,
        "start": None,
        "fresh": None,
        "vocabulary": None,
        "temperature": 2.0,
        "alpha": 0.5,
        "training": TRAINING,
    }


def test_what_the_teacher_preset_comes_to():
    assert resolve("teachers", TeacherConfig, "base", {}, "x").as_json() == {
        "preset": "base",
        "family": "encoder",
        "view": "document",
        "weight": 1.0,
        "checkpoint": "base",
        "finished": None,
        "slices": None,
        "learns_from": None,
        "allow_missing": False,
        "labels": None,
        "fresh": None,
        "starts_from": None,
        "pretrain": False,
        "vocabulary": None,
        "head": None,
        "copies": 1,
        "export": True,
        "cross_fit": None,
        "kfold": False,
        "rows": {"train": 1.0},
        "layers": None,
        "keep": "spread",
        "phases": None,
        "training": {**TRAINING, "ceiling_steps": 20_000, "batch_size": 16, "head_rate": 5.0},
        "labelling": FRESH_LABELLING,
    }


def test_a_part_of_the_training_leaves_the_student_its_other_defaults():
    found = resolve("students", StudentConfig, "8L", {"training": {"epochs": 3}}, "x").training
    assert (found.epochs, found.ceiling_steps) == (3, 30_000)


def _own(project, package, name, text):
    folder = project / "presets" / package
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_bytes(text.encode() if isinstance(text, str) else text)


def test_a_project_adds_presets_and_replaces_shipped_ones(tmp_path):
    _own(tmp_path, "students", "5L", "layers: 5\nkeep: first\n")
    _own(tmp_path, "students", "8L", "layers: 8\nkeep: spread\ntemperature: 7\n")
    _own(tmp_path, "export", "small", "target: onnx_int8_dynamic\nmax_flips: 0.02\n")
    assert preset_names("students", tmp_path) == sorted(["5L", *preset_names("students")])
    assert sorted(own_presets("students", tmp_path)) == ["5L", "8L"] and not own_presets("teachers", tmp_path)
    found = resolve("students", StudentConfig, "mine", {"preset": "5L", "alpha": 1}, "p.yaml", tmp_path)
    assert (found.layers, found.alpha, found.training.ceiling_steps) == (5, 1, 30_000)
    assert resolve("students", StudentConfig, "8L", {}, "p.yaml", tmp_path).temperature == 7
    assert resolve("students", StudentConfig, "8L", {}, "p.yaml").temperature == 2
    assert load_target("small", project=tmp_path).max_flips == 0.02 and load_target("onnx", project=tmp_path)


def test_a_projects_preset_may_name_its_losses(tmp_path):
    _own(
        tmp_path,
        "students",
        "gold",
        "layers: 2\nkeep: first\nlosses: {gold: {}, soft_cross_entropy: {temperature: 4}}\n",
    )
    found = resolve("students", StudentConfig, "gold", {"losses": {"gold": {"weight": 3}}}, "p.yaml", tmp_path)
    assert (found.terms["gold"].weight, found.terms["soft_cross_entropy"].temperature) == (3, 4)
    with pytest.raises(UserError, match=r"students\.gold\.losses: alpha would"):
        resolve("students", StudentConfig, "gold", {"alpha": 1}, "p.yaml", tmp_path)


def test_an_unknown_preset_is_compared_with_the_projects_too(tmp_path):
    _own(tmp_path, "students", "shallow", "layers: 2\nkeep: first\n")
    with pytest.raises(UserError, match="did you mean 'shallow'"):
        resolve("students", StudentConfig, "shalow", {}, "p.yaml", tmp_path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("layers: 2\nkep: first\n", "kep: unknown, did you mean 'keep'"),
        ("layers: 0\nkeep: first\n", "layers: .*found 0"),
        ("layers: 2\nkeep: first\ntraining: {batch_size: 0}\n", "training.batch_size"),
        ("layers: 2\nkeep: first\nlosses: {glod: {}}\n", "losses.glod: unknown loss term"),
        ("layers: [2\n", "not valid YAML"),
        ("", "a mapping is needed"),
        (b"layers: 2 # \xff", "cannot read the preset"),
    ],
)
def test_a_bad_preset_is_named_by_its_file(tmp_path, text, problem):
    _own(tmp_path, "students", "bad", text)
    with pytest.raises(UserError, match=problem) as caught:
        resolve("students", StudentConfig, "mine", {"preset": "bad"}, "project.yaml", tmp_path)
    assert str(tmp_path / "presets" / "students" / "bad.yaml") in str(caught.value)


def test_a_bad_entry_over_a_good_preset_is_named_by_the_project_file(tmp_path):
    _own(tmp_path, "students", "part", "layers: 2\n")
    assert (
        resolve("students", StudentConfig, "mine", {"preset": "part", "keep": "last"}, "p.yaml", tmp_path).layers == 2
    )
    for entry, problem in (({}, "students.mine.keep: missing"), ({"keep": "middle"}, "students.mine.keep: ")):
        with pytest.raises(UserError, match=problem) as caught:
            resolve("students", StudentConfig, "mine", {"preset": "part", **entry}, "p.yaml", tmp_path)
        assert "where: p.yaml" in str(caught.value)


def test_a_bad_target_of_a_project_is_named_by_its_file(tmp_path):
    _own(tmp_path, "export", "tiny", "target: onnx_int4\n")
    with pytest.raises(UserError, match=r"target: unknown 'onnx_int4'[\s\S]*presets.export.tiny\.yaml"):
        load_target("tiny", project=tmp_path)
