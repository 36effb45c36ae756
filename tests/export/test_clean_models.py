"""Models without a fault pass every gate: depths × ways of cutting × families × targets. A slice runs by default."""

import pytest

from distill.core.files import read_json
from export.build import export_target
from export.config import load_target
from tests.export.fitted_models import DEPTH, FAMILIES, evidence, make_trained
from tests.export.judging import failed_gates

TARGETS = ("onnx", "onnx-int8", "onnx-int8-static", "onnx-fp16")
SLICE = [("distilbert", 3, "first")]
WHOLE = [
    (family, layers, keep)
    for layers in (3, 4, 6, 8, DEPTH)
    for keep in ("spread", "first")
    for family in FAMILIES
    if (layers, keep) != (DEPTH, "first")  # nothing is cut: the same model
]


def failures(tmp_path, family, layers, keep):
    """By target the gates that its file fails, as its preset stands; a line of figures for each."""
    model, found = make_trained(family, tmp_path / "model", layers, keep), {}
    for name in TARGETS:
        target, folder = load_target(name), tmp_path / name
        folder.mkdir()
        base = tmp_path / "onnx" if target.starts_from else None
        export_target(target, model, evidence(), folder, base)
        parity = read_json(folder / "parity.json")
        found[name] = failed_gates(target, parity)
        changed = f"{parity['label_flips']:.4f} flips, {(parity.get('changes') or {}).get('decisions')}"
        print(f"{family} {layers} {keep} {name}: {parity['max_abs_diff']:.2g} off, {changed}, {parity.get('rung')}")
    return found


@pytest.mark.parametrize(("family", "layers", "keep"), SLICE)
def test_a_clean_model_passes(tmp_path, family, layers, keep):
    assert failures(tmp_path, family, layers, keep) == dict.fromkeys(TARGETS, set())


@pytest.mark.slow
@pytest.mark.parametrize(("family", "layers", "keep"), WHOLE)
def test_every_clean_model_passes(tmp_path, family, layers, keep):
    assert failures(tmp_path, family, layers, keep) == dict.fromkeys(TARGETS, set())
