"""Threads, endless texts and many predictions on one open bundle; the whole length of it is marked slow."""

import dataclasses
import json
import threading

import numpy as np
import pytest

from benchmarks import serving_limits
from benchmarks.serving_limits import CHARACTERS, ENDLESS, endless, measure
from distill.core.view import View
from export.artifact import Artifact
from export.expected import logits_of
from export.runtime import load_bundle
from tests.export.tiny_bundle import TARGETS, make_exports, make_model, shared_bundle


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(shared_bundle(), threads=1)


def test_threads_give_one_answer_and_memory_stays(bundle):
    found = measure(bundle, predictions=1000)
    assert found["threads_equal"] and found["ratios"]["memory"] < 1.02
    assert found["endless_bytes"] < 64 * 2**20 and set(found["seconds_of_a_million_characters"]) == set(ENDLESS)


def test_a_model_that_threads_confuse_is_noticed(bundle):
    class Confused:
        """Answers otherwise from any thread but the first."""

        def __getattr__(self, name):
            return getattr(bundle.session, name)

        def run(self, names, asked):
            shift = np.float32(threading.current_thread() is not threading.main_thread())
            return [bundle.session.run(names, asked)[0] + shift * np.float32([1e-3, 0, 0])]

    assert not measure(dataclasses.replace(bundle, session=Confused()), predictions=20)["threads_equal"]


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_million_characters_are_answered_as_in_training(bundle, tmp_path, kind):
    """The same token ids as the model's own view gives, and the logits of the exported file by the toolkit's runner."""
    model = make_model(tmp_path / "model")
    record = endless(bundle, kind)
    assert len(record["page.body"]) == CHARACTERS
    [here], [there] = bundle.encode([record]), View.load(model).renderer().encode_batch([record])
    assert here.windows == there.windows or [(one.ids, one.type_ids) for one in here.windows] == [
        (one.ids, one.type_ids) for one in there.windows
    ]
    exported = Artifact(TARGETS["fp32"], make_exports(tmp_path / "export", model)["fp32"])
    np.testing.assert_allclose(bundle.logits([record]), logits_of(exported, model, [record]), atol=1e-5)


def test_the_command_prints_one_json_line(capsys, monkeypatch):
    monkeypatch.setattr(serving_limits, "CHARACTERS", 1000)
    assert serving_limits.main([str(shared_bundle()), "--precision", "int8", "--predictions", "20"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["precision"] == "int8" and found["ratios"].keys() == {"memory", "endless"}
    assert serving_limits.main([str(shared_bundle() / "nowhere")]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_memory_is_flat_over_100_000_predictions(precision):
    found = measure(load_bundle(shared_bundle(), precision, threads=1))
    assert found["threads_equal"] and found["predictions"] == 100_000 and found["ratios"]["memory"] < 1.01
