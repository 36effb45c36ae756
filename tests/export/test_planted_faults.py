"""Faults planted in exported files of every target: each is caught, by the gate that is named here.

Those of the view, the tokenizer, the labels and what was chosen for them are planted in the builder of bundles
(`test_built_wrong.py`) and in finished bundles (`test_resealed.py`).
"""

import shutil

import onnx
import pytest
import torch

from distill.core.errors import GateFailed, UserError
from distill.core.label_space import LabelSpace
from distill.core.limits import Limits
from distill.inference.onnx_runner import OnnxRunner
from distill.models.encoder import load_classifier
from distill.models.to_onnx import export_fp32
from distill.training.fake_quantised import FakeQuantised, fake_quantise, take_apart
from export import expected, parity
from export.artifact import Artifact
from export.config import load_target
from export.evidence import Sample
from export.parity import Original
from export.targets.base import Source
from tests.export import faults
from tests.export.conftest import LABELS
from tests.export.faults import epsilon, factor, freeze, planted
from tests.export.fitted_models import JUDGING, batches, evidence, make_fitted, records
from tests.export.judging import failed_gates

SCALE, PARITY, DECISIONS, REFUSED = "same scale", "parity", "decisions", "refused"
SPACE = LabelSpace(tuple(LABELS), positive=LABELS[-1])
# Settings that make a file sooner; what it must keep is the preset's.
TARGETS = {
    "onnx": {},
    "onnx-cuda": {},
    "onnx-fp16": {},
    "tensorrt-fp16": {"engine": "later"},
    "tensorrt-bf16": {"engine": "later"},
    "onnx-int8": {},
    "onnx-int8-static": {"methods": ["minmax"], "calibration_rows": 20},
    "onnx-int8-qat": {},
}


class Workshop:
    """One fitted BERT, its fp32 export, and files of any target made of that with a fault."""

    def __init__(self, folder):
        self.folder = folder
        self.model = make_fitted("bert", folder / "model", 3, spread=0.07)
        self.base = folder / "base"
        self.base.mkdir()
        export_fp32(self.model, self.base / "model.onnx")
        self.refitted = _with_scales(self.model, folder / "refitted")
        self.known, (rows, gold) = {}, records(1, JUDGING)
        self.original = Original(self.model, Sample(rows, gold), JUDGING, evidence())
        once = self.original.scorer.window_logits
        self.original.scorer.window_logits = lambda windows: _kept(self.known, windows, once)

    def made(self, name, folder, fault=None, later=None, calibrated_on=None):
        """Build a target's file, and the target with what its preset asks of it.

        Args: fault: of the fp32 export that it is made from. later: of the file itself. calibrated_on: other records.
        """
        base, target = folder / "base", load_target(name, TARGETS[name])
        base.mkdir()
        planted(self.base / "model.onnx", base / "model.onnx", fault or (lambda model: None))
        rows = calibrated_on or records(3)[0]
        source = Source(
            self.model,
            base,
            self.original.changes_of,
            lambda runner, most: self.original.read(runner, rows[:most]),
            self.refitted,
        )
        if name == "onnx":
            shutil.copyfile(base / "model.onnx", folder / "model.onnx")
        else:
            # Of a file with a fault the first form, which is what a choice among forms would start from.
            first_form = target.model_copy(update={"gates": Limits(), **({"max_flips": 1} if target.chooses else {})})
            (first_form if fault or later else target).build(source, folder)
        if later:
            planted(folder / "model.onnx", folder / "model.onnx", later)
        return target

    def caught(self, name, folder, **fault):
        """The gates that a file of this target with a fault fails."""
        try:
            target = self.made(name, folder, **fault)
            runner = target.open(folder, threads=1)
        except UserError:
            return {REFUSED}
        measured = parity.measure(self.original, runner, target)
        tolerance = {"tolerance": target.tolerance} if target.criterion == "tolerance" else {}
        found = failed_gates(target, {**measured, **tolerance})
        return found | ({SCALE} if self._other_scale(target, runner, folder) else set())

    def _other_scale(self, target, runner, folder):
        """What the builder of bundles asks of golden records, asked of these."""
        held = {"exact": Artifact(load_target("onnx"), folder), "file": Artifact(target, folder)}
        try:
            logits = {"exact": self.original.logits, "file": self.original.answers(runner, 1)}
            expected.require_same_scale(logits, held, SPACE)
        except GateFailed:
            return True
        except UserError:  # parity has said so
            return False
        return False


def _kept(known, windows, answer):
    key = tuple(tuple(window.ids) for window in windows)
    if key not in known:
        known[key] = answer(windows)
    return known[key]


def _with_scales(student, folder):
    """The student as quantisation-aware training leaves it, but for the training."""
    model = load_classifier(student)
    fake_quantise(model)
    rounding = [part for part in model.modules() if isinstance(part, FakeQuantised)]
    for part in rounding:
        part.register_forward_pre_hook(_widen)
    with torch.no_grad():
        for batch in batches(model, student, 3):
            model(**batch)
    model.save_pretrained(folder)
    take_apart(folder)
    return folder


def _widen(part, given):
    """Let a rounding layer's range hold all that it reads."""
    part.activation_low.clamp_(max=given[0].amin())
    part.activation_high.clamp_(min=given[0].amax())


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("workshop"))


# What a file judged by its decisions fails; one that is judged by its logits fails parity.
FAULTS = {
    "two layers in the other's place": (faults.swap_two_layers, PARITY),
    "a layer dropped": (faults.drop_a_layer, PARITY),
    "labels reversed": (faults.reverse_the_labels, PARITY),
    "token types ignored": (faults.ignore_the_types, PARITY),
    "ids and types swapped": (faults.swap_ids_and_types, REFUSED),
    "the mask ignored": (faults.ignore_the_mask, DECISIONS),
    "positions start later": (faults.start_positions_later, PARITY),
    "positions frozen at the sample": (faults.freeze_positions, PARITY),
    "epsilon of the norms": (epsilon(0.3), PARITY),
    "softmax inside": (faults.softmax_inside, SCALE),
    "the temperature inside": (factor(1 / 1.5), SCALE),
    "the second token pooled": (faults.pool_the_second_token, PARITY),
    "the vocabulary shifted by a row": (faults.shift_the_vocabulary, PARITY),
    "the vocabulary cut": (faults.cut_the_vocabulary, REFUSED),
    "one weight NaN": (faults.one_weight_nan, REFUSED),
    "attention not scaled": (faults.forget_the_attention_scale, PARITY),
    "another model's weights": (faults.other_weights, PARITY),
    "the batch axis frozen": (freeze(0, 2), PARITY),
    "the sequence axis frozen": (freeze(1, 7), PARITY),
    "another activation": (faults.relu_for_gelu, PARITY),
}
# Of finished files of one kind: what planting takes, the targets, and the gate.
LATER = {
    "activations saturate": (faults.saturate, ("onnx-int8-static", "onnx-int8-qat"), PARITY),
    "scales of channels swapped": (faults.swap_channel_scales, ("onnx-int8-static", "onnx-int8-qat"), PARITY),
    "zero points moved": (faults.move_zero_points, ("onnx-int8-static", "onnx-int8-qat"), PARITY),
    "fp16 overflow": (faults.overflow_in_fp16, ("onnx", "onnx-fp16"), PARITY),
    "an initialiser perturbed by 1%": (faults.perturb_an_initialiser, ("onnx", "onnx-cuda"), PARITY),
    "logits times 1.01": (factor(1.01), ("onnx", "onnx-cuda"), PARITY),
}
REST = [name for name in TARGETS if name != "onnx"]


# A mask changes no answer of a file that is served, and so judged, one record at a time: nothing is padded.
BY_PADDING = ("the mask ignored",)


def tells(name, fault):
    """Whether a target's gates can tell a fault."""
    return fault not in BY_PADDING or load_target(name).batch_invariant


SLICE = [(name, fault) for number, fault in enumerate(FAULTS) for name in ("onnx", REST[number % len(REST)])]
SLICE = [(name, fault) for name, fault in SLICE if tells(name, fault)]
WHOLE = [(name, fault) for fault in FAULTS for name in TARGETS if (name, fault) not in SLICE and tells(name, fault)]


def require_caught(workshop, folder, name, fault):
    change, gate = FAULTS[fault]
    found = workshop.caught(name, folder, fault=change)
    # bf16 may be off by more than a mask's padding moves the logits of these models, but not decide otherwise.
    if load_target(name).criterion != "decisions" and (name, fault) != ("tensorrt-bf16", "the mask ignored"):
        gate = PARITY
    # A target that is made by reading records, or weights that have no scale, is not made at all.
    assert gate in found or REFUSED in found or (gate == REFUSED and PARITY in found), found


@pytest.mark.parametrize(("name", "fault"), SLICE)
def test_a_fault_is_caught(workshop, tmp_path, name, fault):
    require_caught(workshop, tmp_path, name, fault)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault"), WHOLE)
def test_a_fault_is_caught_on_every_target(workshop, tmp_path, name, fault):
    require_caught(workshop, tmp_path, name, fault)


@pytest.mark.parametrize(("name", "fault"), [(name, fault) for fault in LATER for name in LATER[fault][1]])
def test_a_fault_of_the_finished_file_is_caught(workshop, tmp_path, name, fault):
    change, _, gate = LATER[fault]
    found = workshop.caught(name, tmp_path, later=change)
    assert gate in found or REFUSED in found, found


def test_scales_of_other_records_are_caught(workshop, tmp_path):
    """A stale calibration: on records without text, whose activations are a small part of those that are served."""
    empty = [{"product.title": "", "page.title": ""}] * 20
    found = workshop.caught("onnx-int8-static", tmp_path, calibrated_on=empty)
    assert found & {PARITY, DECISIONS}, found


@pytest.mark.parametrize("name", TARGETS)
def test_without_a_fault_it_passes_or_the_next_of_its_ladder_does(workshop, tmp_path, name):
    """Weights as wide as these ask more of one scale for a whole input than 0.5% of decisions allow."""
    places = (tmp_path / str(number) for number in range(3))
    for rung in (name, *load_target(name).falls_back):
        folder = next(places)
        folder.mkdir()
        found = workshop.caught(rung, folder)
        if found != {DECISIONS}:
            break
    assert found == set(), rung


def test_lost_external_data_is_named(workshop, tmp_path):
    path = tmp_path / "model.onnx"
    model = onnx.load(workshop.base / "model.onnx")
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=1024)
    OnnxRunner(path)
    (tmp_path / "weights").unlink()
    with pytest.raises(UserError, match="cannot load the ONNX file") as caught:
        OnnxRunner(path)
    assert caught.value.where == str(path)
