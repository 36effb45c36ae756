"""Faults planted in an exported file whose labels all stay: the gates on int8 see them in the file's probabilities."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from distill.core.project import Gates
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.calibrated_predictions import ALL, CalibratedPredictions
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.entries import ModelFigures, Parity
from distill.evaluation.fidelity import fidelity
from distill.evaluation.gates import fidelity_gates
from distill.evaluation.scored import Scored
from tests.export.tiny_bundle import SPACE, classifier, make_exports, make_model

ROWS = 240
NAME = "tiny@card.onnx-int8"


def with_last(node):
    """The tiny classifier with a node between its head and its output."""
    model = classifier()
    model.graph.node[-1].output[0] = "raw"
    model.graph.initializer.append(numpy_helper.from_array(np.array(3, np.float32), "three"))
    model.graph.node.append(node)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


FAULTS = {
    "logits times 3": helper.make_node("Mul", ["raw", "three"], ["logits"]),
    "softmax twice": helper.make_node("Softmax", ["raw"], ["logits"], axis=1),
}


def logits_of(model):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(3).integers(4, 90, (ROWS, 12))
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    # One row at a time, as dynamic int8 is served.
    return np.concatenate([session.run(["logits"], {k: v[i : i + 1] for k, v in feed.items()})[0] for i in range(ROWS)])


def calibrated(logits, target):
    """The file's predictions as the evaluation reads them, with a temperature of their own."""
    half = ROWS // 2
    temperature = fit_temperature(logits[:half], target[:half])
    parts = [
        Scored(NAME, SPACE, [str(row) for row in rows], logits[rows] / temperature, target[rows])
        for rows in (np.arange(half), np.arange(half, ROWS))
    ]
    return CalibratedPredictions(parts[0], temperature, None, {ALL: parts[1]})


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """Export folders, the student's logits, and gold that it knows in part."""
    folder = tmp_path_factory.mktemp("student")
    exports = make_exports(folder / "export", make_model(folder / "model"))
    logits = logits_of(str(exports["fp32"] / "model.onnx"))
    noisy = logits + np.random.default_rng(4).gumbel(size=logits.shape) * logits.std() / 2
    return exports, logits, np.eye(3)[noisy.argmax(1)]


def failed(student, model):
    _, logits, target = student
    figures = fidelity(
        [calibrated(logits, target)],
        [calibrated(logits_of(model), target)],
        (0.9, 0.9),
        Bootstrap(ROWS // 2, None, 100),
    )
    entry = ModelFigures(NAME, "artifact", fidelity=figures)
    checks = [Parity(name="tiny", target="onnx-int8", criterion="decisions", model=NAME)]
    return {gate.metric for gate in fidelity_gates(Gates(), [entry], checks) if not gate.passed}


def test_an_int8_file_passes(student):
    assert failed(student, str(student[0]["int8"] / "model.onnx")) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_changes_no_label_fails(student, fault):
    planted = with_last(FAULTS[fault])
    assert (logits_of(planted).argmax(1) == student[1].argmax(1)).all()
    assert "int8_shift_mean" in failed(student, planted)
