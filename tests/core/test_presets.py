"""Every shipped preset loads, and an entry of the project is laid on top of its preset."""

from __future__ import annotations

import pytest

from distill.core.errors import UserError
from distill.core.presets import load_preset, preset_names, resolve
from export.config import load_target
from students.config import StudentConfig
from teachers.config import TeacherConfig


@pytest.mark.parametrize(
    ("package", "model", "name"),
    [("teachers", TeacherConfig, name) for name in preset_names("teachers")]
    + [("students", StudentConfig, name) for name in preset_names("students")],
)
def test_every_preset_of_a_model_loads(package, model, name):
    assert resolve(package, model, name, {}, "project.yaml").preset == name


@pytest.mark.parametrize("name", preset_names("export"))
def test_every_export_preset_loads(name):
    assert load_target(name).name == name


def test_the_promised_presets_are_there():
    assert {"base"} <= set(preset_names("teachers"))
    assert {"8L", "8L_trunc", "6L", "6L_trunc"} <= set(preset_names("students"))
    assert {"onnx", "onnx-int8"} <= set(preset_names("export"))


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
