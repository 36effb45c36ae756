"""A student trained further with rounded layers, and the int8 file of it at exactly the scales that it learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import load_file

from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from distill.core.errors import UserError
from distill.core.files import read_json, sha256
from distill.families.encoder import Encoder
from distill.families.family import Opening, open_windows
from distill.inference.onnx_runner import OnnxRunner
from distill.inference.runner_scorer import RunnerScorer
from distill.models.encoder import layer_stack, load_classifier
from distill.models.to_onnx import export_fp32
from distill.training.config import AlterConfig
from distill.training.fake_quantised import SCALES, FakeQuantised, fake_quantise, scale
from export.build import export_target
from export.config import load_target
from export.evidence import Evidence, Sample
from export.int8_static import Scale
from export.learnt_scales import learnt_scales
from export.quantised_fit import QuantisedFit, fit_rounded
from students.config import StudentConfig
from tests.benchmarks.test_publish import RESULTS
from tests.families.lessons import toy_lesson
from tests.training.toy import toy_encoder, toy_records, write_toy

CONFIG = StudentConfig(
    preset="toy", keep="first", layers=2, training={"epochs": 3, "batch_size": 8, "precision": "fp32"}
)
STORED = read_json(RESULTS / "families.json")["rows"]
ROWS = [record.fields for record in toy_records("в", 60)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A toy student, the same after a refit, and the int8 file of that."""
    folder = tmp_path_factory.mktemp("qat")
    lesson = toy_lesson(write_toy(folder / "records", train=48), source=toy_encoder(folder / "start"))
    Encoder().fit(CONFIG, lesson, folder / "student")
    fit_rounded(CONFIG, QuantisedFit(labels="teachers", least_steps=6), lesson, folder / "student", folder / "refitted")
    (folder / "file").mkdir()
    target = load_target("onnx-int8-qat", {"parity_rows": 20})
    export_target(target, folder / "student", Evidence(Sample(ROWS)), folder / "file", None, folder / "refitted")
    return folder


def test_the_refitted_folder_is_a_plain_model_with_scales_beside_it(made):
    student, refitted = (load_file(made / name / "model.safetensors") for name in ("student", "refitted"))
    assert student.keys() == refitted.keys()
    moved = [name for name in student if not torch.equal(student[name], refitted[name])]
    assert any(name.endswith("query.weight") for name in moved)
    scales = load_file(made / "refitted" / SCALES)
    assert len(scales) == 2 * 2 * 6 and all(float(one) > 0 for name, one in scales.items() if name.endswith("step"))
    taken = read_json(made / "refitted" / "training_history.json")
    assert (taken["steps"], taken["ended"]) == (6, "fixed")


def test_the_file_has_exactly_the_scales_that_were_learnt(made):
    graph = onnx.load(made / "file" / "model.onnx").graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    stored = {
        (float(values[node.input[1]]), int(values[node.input[2]]))
        for node in graph.node
        if node.op_type == "QuantizeLinear"
    }
    learnt = load_file(made / "refitted" / SCALES)
    names = {name.removesuffix(".step") for name in learnt if name.endswith(".step")}
    assert stored == {(float(learnt[f"{name}.step"]), int(learnt[f"{name}.zero"])) for name in names}
    assert len(stored) == 2 * 4  # queries, keys and values read the same


def test_scales_of_one_model_are_refused_for_the_file_of_another(made, tmp_path):
    export_fp32(made / "student", tmp_path / "model.onnx")
    with pytest.raises(UserError, match=r"trained with rounded layers[\s\S]*\d+ of 12 layers have other weights"):
        learnt_scales(tmp_path / "model.onnx", made / "refitted")


def test_the_file_answers_as_the_rounded_model_in_pytorch(made):
    """As the layers that were trained rounded, and otherwise than the weights would without rounding."""
    plain = open_windows(made / "refitted", Opening(rewritten=False))
    model, learnt = load_classifier(made / "refitted"), load_file(made / "refitted" / SCALES)
    fake_quantise(model)
    for name, layer in model.named_modules():
        if isinstance(layer, FakeQuantised):
            step, zero = learnt[f"{name}.step"], learnt[f"{name}.zero"]
            layer.activation_low.copy_(-step * zero)
            layer.activation_high.copy_(step * (255 - zero))

    class Rounded:
        def logits(self, batch):
            with torch.no_grad():
                return model(**{key: torch.from_numpy(value) for key, value in batch.items()}).logits.numpy()

    def answers(runner):
        return RunnerScorer(runner, plain.renderer, max_rows=1).score(ROWS).logits

    rounded, exact = answers(Rounded()), plain.score(ROWS).logits
    found = answers(OnnxRunner(made / "file" / "model.onnx", threads=1))
    assert np.abs(found - rounded).mean() < 0.01 * np.abs(found - exact).mean()
    assert np.abs(found - exact).max() > 1e-4


def test_a_bundle_knows_the_file_by_the_students_weights(made):
    notes = {item.key: item.value for item in onnx.load(made / "file" / "model.onnx").metadata_props}
    assert notes["source_sha256"] == sha256(made / "student" / "model.safetensors")
    assert notes["refitted_sha256"] == sha256(made / "refitted" / "model.safetensors")


def test_what_it_is_compared_with_is_the_student(made):
    student = open_windows(made / "student", Opening(rewritten=False)).score(ROWS).logits
    found = RunnerScorer(
        OnnxRunner(made / "file" / "model.onnx", threads=1),
        open_windows(made / "student").renderer,
        max_rows=1,
    ).score(ROWS)
    flips = (found.logits[::3].argmax(axis=1) != student[::3].argmax(axis=1)).mean()
    parity = read_json(made / "file" / "parity.json")
    assert parity["label_flips"] == parity["changes"]["flips"] == flips and parity["name"] == "student"


def test_scales_are_those_of_static_int8():
    for low, high in ((-1.3, 4.0), (0.2, 3.0), (-5.0, -1.0), (0.0, 0.0), (-2.5, 1e-3)):
        step, zero = scale(torch.tensor(low), torch.tensor(high))
        static = Scale.of_range(low, high)
        assert (float(step), int(zero)) == (pytest.approx(static.step, rel=1e-6), static.zero)


def test_rounded_layers_follow_ranges_in_training_only_and_pass_gradients_inside():
    layer = torch.nn.Linear(3, 2)
    holder = torch.nn.Module()
    holder.config = type("Config", (), {"num_hidden_layers": 1, "model_type": "toy"})()
    holder.stack = torch.nn.ModuleList([layer])
    fake_quantise(holder)
    seen = torch.tensor([[-1.0, 0.5, 2.0]])
    layer.train()(seen)
    assert (float(layer.activation_low), float(layer.activation_high)) == (-1.0, 2.0)
    layer(3 * seen)
    assert float(layer.activation_high) == pytest.approx(2.0 + 0.01 * 4.0)
    layer.eval()(9 * seen)
    assert float(layer.activation_high) == pytest.approx(2.04)
    wide = torch.tensor([[0.5, 50.0, -0.2]], requires_grad=True)
    layer(wide).sum().backward()
    assert wide.grad[0, 1] == 0 and (wide.grad[0, [0, 2]] != 0).all()
    assert (layer.weight.grad != 0).any()
    weights = layer._rounded_weight() / (layer.weight.abs().amax(dim=1, keepdim=True) / 127)
    torch.testing.assert_close(weights, weights.round(), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("taken", "share", "steps"), [(1000, 0.1, 100), (100, 0.1, 50), (400, 0.5, 200)])
def test_it_takes_a_share_of_the_students_steps_at_a_share_of_its_rate(tmp_path, monkeypatch, taken, share, steps):
    from export import quantised_fit

    (tmp_path / "training_history.json").write_text(f'{{"steps": {taken}}}')
    (tmp_path / "config.json").write_text('{"hidden_size": 384}')
    asked = []
    monkeypatch.setattr(quantised_fit.RoundingEncoder, "fit", lambda self, *how: asked.append(how))
    config = CONFIG.model_copy(
        update={"training": CONFIG.training.model_copy(update={"warmup": 900.0, "learning_rate": None})}
    )
    lesson = toy_lesson(tmp_path, steps=7)
    fit_rounded(config, QuantisedFit(share=share, rate=0.5), replace(lesson, measured=True), tmp_path, tmp_path / "out")
    (found, own, folder), training = asked[0], asked[0][0].training
    assert (training.max_steps, training.learning_rate, training.checkpoint) == (steps, 2.5e-5, "last")
    assert training.epochs is None and training.warmup == 0.1 and found.layers is None
    assert (own.source, own.steps, folder) == (tmp_path, None, tmp_path / "out")
    assert list(found.terms) == ["logits_mse"]
    assert (training.dropout, training.precision, training.alter) == (0.0, "fp32", AlterConfig())
    fit_rounded(config, QuantisedFit(labels="teachers"), lesson, tmp_path, tmp_path / "out")
    assert asked[1][0].terms == config.terms


@pytest.mark.parametrize("name", [row["family"] for row in STORED if row["result"] == "works"])
def test_a_family_is_refused_unless_each_layer_reads_one_tensor_that_depends_on_the_text(name, tmp_path):
    write_checkpoint(FAMILIES[name], ["дрель пила фреза", "купить дрель 750 Вт"], tmp_path)
    model = load_classifier(tmp_path, ["0", "1"])
    read: dict[str, list[torch.Tensor]] = {}
    for layer, one in layer_stack(model).named_modules():
        if type(one) is torch.nn.Linear:
            read[layer] = []
            one.register_forward_pre_hook(lambda _, given, layer=layer: read[layer].append(given[0]))
    for first in (5, 6):
        model(input_ids=torch.arange(first, first + 8)[None] % 20, attention_mask=torch.ones(1, 8, dtype=torch.long))
    good = bool(read) and all(len(two) == 2 and not torch.equal(*two) for two in read.values())
    target = load_target("onnx-int8-qat")
    assert (target.problem_with(read_json(tmp_path / "config.json")) is None) is (good or name == "SqueezeBERT")
    if good:
        target.require(model)
    else:
        with pytest.raises(UserError, match=r"int8 .* this family"):
            target.require(model)
