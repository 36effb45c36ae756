"""A student whose upper layers read several tokens as one, from its training to its ONNX file."""

import json

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.record_store import read_records
from distill.families.encoder import Encoder
from distill.families.family import family_of, open_windows
from distill.families.starting import cut
from distill.inference.onnx_runner import OnnxRunner
from distill.inference.runner_scorer import RunnerScorer
from distill.models.encoder import load_classifier
from distill.models.to_onnx import export_fp32
from distill.models.token_schedule import stored_schedule
from distill.training.joining import Share
from students.config import StudentConfig
from students.train import train
from teachers.config import TeacherConfig
from tests.families.lessons import toy_labels, toy_lesson
from tests.training.toy import same_weights, toy_training


def _config(**changes):
    training = toy_training(max_steps=6, may_collapse=True)
    values = {"preset": "3L", "layers": 2, "keep": "first", "token_schedule": [1, 3], "training": training}
    return StudentConfig.model_validate(values | changes)


def _trained(source, records, folder, teacher=None, **changes):
    labels = {toy_labels(records, folder.with_name(f"{folder.name}-labels")): Share()}
    train(_config(**changes), toy_lesson(records, source=source, labels=labels, teacher=teacher), folder)
    return folder


def test_a_student_is_trained_saved_opened_and_exported_with_it(warm, records, tmp_path):
    folder, plain = (
        _trained(warm, records, tmp_path / "s"),
        _trained(warm, records, tmp_path / "p", token_schedule=None),
    )
    assert not same_weights(load_classifier(folder), load_classifier(plain))
    assert json.loads((folder / "config.json").read_text())["distill"] == {"token_schedule": [1, 3]}
    assert "distill" not in json.loads((plain / "config.json").read_text())
    assert family_of(folder).name == "encoder"
    rows = [record.fields for record in read_records(records, "valid")]
    scorer = open_windows(folder)
    logits = scorer.score(rows).logits
    assert json.loads((folder / "training_history.json").read_text())["rows"] == len(rows)
    export_fp32(folder, tmp_path / "model.onnx")
    exported = RunnerScorer(OnnxRunner(tmp_path / "model.onnx"), scorer.renderer).score(rows).logits
    np.testing.assert_allclose(exported, logits, atol=1e-5)
    assert np.ptp(logits) > 1e-2


def test_a_student_has_its_own_schedule_whatever_its_source_has(warm, records, tmp_path):
    source = _trained(warm, records, tmp_path / "source")
    for name, own in (("same", [1, 3]), ("none", None)):
        folder = _trained(source, records, tmp_path / name, token_schedule=own)
        assert json.loads((folder / "config.json").read_text()).get("distill", {}).get("token_schedule") == own
    assert Encoder().facts(tmp_path / "none").layers == 2


def test_a_teacher_goes_on_with_the_schedule_of_the_layers_that_it_keeps(warm, records, tmp_path):
    model = load_classifier(_trained(warm, records, tmp_path / "source"))
    cut(model, TeacherConfig(preset="base", layers=1, keep="last"))
    assert stored_schedule(model.config) == [3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_schedule": [1, 2, 2]}, "token_schedule: 3 numbers for 2 layers"),
        ({"token_schedule": [2, 3]}, "token_schedule: each has to be a multiple of the one before"),
        ({"token_schedule": [0, 1]}, "token_schedule"),
    ],
)
def test_a_schedule_that_fits_no_layers_is_refused_in_the_config(changes, message):
    with pytest.raises(ValueError, match=message):
        _config(**changes)


def test_terms_that_compare_every_token_are_refused_with_it_and_those_of_the_first_are_not(warm, records, tmp_path):
    with pytest.raises(UserError, match="compares every token"):
        _trained(warm, records, tmp_path / "s", warm, losses={"hidden_states": {}})
    _trained(warm, records, tmp_path / "f", warm, losses={"hidden_states": {"tokens": "first"}, "gold": {}})
