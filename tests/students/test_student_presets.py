"""Every student preset is what its name says."""

import re
from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.presets import load_preset, preset_names, resolve
from distill.pipeline.entries import student_entry
from students.config import StudentConfig

OTHERS = {
    **{"bag": "bag", "encoder_lstm": "encoder_lstm", "lstm": "lstm", "mlp": "frozen_mlp"},
    **dict.fromkeys(("words", "words_svm", "words_boosting"), "tfidf"),
    **dict.fromkeys(("words_embeddings", "embeddings"), "tfidf_embeddings"),
}
POSITIVE = [name for name in preset_names("students") if name.endswith("_positive")]
NAMES = [name for name in preset_names("students") if name not in ("own", *OTHERS, *POSITIVE)]


@pytest.mark.parametrize("name", NAMES)
def test_preset_is_what_its_name_says(name):
    config = resolve("students", StudentConfig, name, {}, "test")
    layers, truncated = re.fullmatch(r"(\d+)L(_trunc)?", name).groups()
    assert config.layers == int(layers) and config.keep == ("first" if truncated else "spread")
    assert (config.preset, config.view, config.init) == (name, "card", "teacher")


def test_a_student_with_a_start_of_its_own_keeps_all_of_it():
    config = resolve("students", StudentConfig, "mini", {"preset": "own", "start": "some/encoder"}, "test")
    assert (config.layers, config.start, config.view) == (None, "some/encoder", "card")


def test_the_students_of_the_project_are_there():
    assert {"8L", "8L_trunc", "6L", "6L_trunc"} <= set(NAMES)


def test_presets_say_only_what_their_names_say():
    assert all(set(load_preset("students", name, "test")) == {"layers", "keep"} for name in NAMES)


@pytest.mark.parametrize("name", POSITIVE)
def test_one_of_the_positive_class_has_the_layers_of_its_name_and_asks_nothing_else(name):
    plain = load_preset("students", name.removesuffix("_positive"), "test")
    assert load_preset("students", name, "test") == {**plain, "training": {"objective": "one_vs_rest"}}


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_presets_are_families_of_their_own(name):
    config = student_entry(name, {}, "test", Path("no project"))
    assert (config.family, config.view) == (OTHERS[name], "card") and not isinstance(config, StudentConfig)


def test_what_has_no_layers_learns_faster_than_an_encoder():
    rates = {
        student_entry(name, {}, "test", Path("no project")).training.learning_rate for name in ("bag", "lstm", "mlp")
    }
    assert rates == {1e-3}


def test_numbers_are_numbers():
    config = resolve("students", StudentConfig, "8L", {}, "test")
    assert config.training.learning_rate is None and config.temperature == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"preset": "8L_trunk"}, "8L_trunc"),
        ({"layers": 0}, "students.8L.layers"),
        ({"keep": "middle"}, "students.8L.keep"),
        *(({"layers": None, "keep": keep}, "keep: .* write how many") for keep in ("first", "last", "probe")),
        ({"init": "random"}, "students.8L.init"),
        ({"temperature": 0}, "students.8L.temperature"),
        ({"alpha": -1}, "students.8L.alpha"),
        ({"temprature": 2}, "did you mean 'temperature'"),
        ({"training": {"learning_rate": 0}}, "students.8L.training.learning_rate"),
        ({"training": {"dropout": 1.0}}, "students.8L.training.dropout"),
        ({"training": {"schedule": "linaer"}}, "students.8L.training.schedule"),
    ],
)
def test_wrong_values_are_refused_by_key(entry, message):
    with pytest.raises(UserError, match=message):
        resolve("students", StudentConfig, "8L", entry, "test")
