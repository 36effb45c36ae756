"""Faults planted in the code that builds bundles: each ends in a named failure and no bundle."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import quantize_dynamic

from distill.core.errors import GateFailed
from distill.core.files import read_json, sha256, write_json
from distill.core.view import View
from distill.families.family import Opening
from export import bundle as bundles
from export import clean_process, expected
from export.artifact import Artifact, Contents
from export.proof import Proof, Stored, prove
from tests.export.tiny_bundle import (
    MULTI,
    POINTS,
    RECORDS,
    SPACE,
    TARGETS,
    VIEW,
    classifier,
    copy_of,
    make_exports,
    make_model,
    reseal,
    shared_bundle,
)

TEMPERATURES = {"fp32": 1.5, "int8": 2.5}
INT8_POINTS = {**POINTS, "f1": 0.55}
ALONE = Opening(threads=1, max_rows=1)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    base = tmp_path_factory.mktemp("parts")
    model = make_model(base / "model")
    return model, make_exports(base / "export", model)


def contents_of(parts, space=SPACE):
    model, exports = parts
    points = {"fp32": POINTS, "int8": INT8_POINTS}
    artifacts = [Artifact(TARGETS[name], path, TEMPERATURES[name], points[name]) for name, path in exports.items()]
    return Contents("tiny", model, artifacts, space, {})


def build(parts, folder, space=SPACE):
    folder.mkdir()
    bundles.bundle(contents_of(parts, space), folder, threads=1)
    return folder


def after_writing(monkeypatch, step, change):
    """Let `change(folder)` spoil what a function of `export.bundle` wrote, by the name of that function."""
    real = getattr(bundles, step)

    def spoiling(*arguments):
        real(*arguments)
        change(next(one for one in reversed(arguments) if hasattr(one, "iterdir")))

    monkeypatch.setattr(bundles, step, spoiling)


def before_reading(monkeypatch, **changes):
    """Another preprocessing.json than the view's."""
    real = bundles._preprocessing
    monkeypatch.setattr(bundles, "_preprocessing", lambda *given: {**real(*given), **changes})


def after_reading(monkeypatch, change):
    """Another postprocessing.json than the task's."""
    real = bundles._postprocessing
    monkeypatch.setattr(bundles, "_postprocessing", lambda *given: change(real(*given)))


def moved_threshold(after):
    return {**after, "operating_points": {**after["operating_points"], "fp32": {**POINTS, "f1": 0.401}}}


def int8_for_all(after):
    chosen = {key: dict.fromkeys(after[key], after[key]["int8"]) for key in ("temperature", "operating_points")}
    return {**after, **chosen}


def edit(name, old, new):
    """A change of a file's text."""

    def change(folder):
        text = (folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")

    return change


def lower_case_off(folder):
    content = read_json(folder / "tokenizer.json")
    content["normalizer"]["lowercase"] = False
    write_json(folder / "tokenizer.json", content)


def cut_on_the_left(folder):
    content = read_json(folder / "tokenizer.json")
    content["truncation"]["direction"] = "Left"
    write_json(folder / "tokenizer.json", content)


def teachers_model(folder):
    """Another model of the same inputs and labels."""
    proto = classifier(seed=2)
    props = {item.key: item.value for item in onnx.load(folder / "model.onnx").metadata_props}
    helper.set_model_props(proto, {**props, "source_sha256": "teacher"})
    onnx.save(proto, folder / "model.onnx")


def other_int8(folder):
    """The int8 file of another model of the same inputs and labels, which says that it is this one's."""
    with TemporaryDirectory() as place:
        whole, other = Path(place) / "whole.onnx", folder / "model.int8.onnx"
        onnx.save(classifier(seed=2), whole)
        props = {item.key: item.value for item in onnx.load(other).metadata_props}
        quantize_dynamic(whole, other)
        proto = onnx.load(other)
        helper.set_model_props(proto, props)
        onnx.save(proto, other)


def other_padding(folder):
    content = read_json(folder / "config.json")
    write_json(folder / "config.json", {**content, "pad_token_id": 5, "vocab_size": 90})


def ending(name, operator):
    """The file with one more operator at its end."""

    def change(folder):
        proto = onnx.load(folder / name)
        last = next(node for node in proto.graph.node if node.output[0] == "logits")
        last.output[0] = "inner"
        proto.graph.node.append(helper.make_node(operator, ["inner"], ["logits"]))
        onnx.save(proto, folder / name)

    return change


MULTIPLIED = edit("runtime.py", "logits / np.float32(self.after", "logits * np.float32(self.after")
LEAST_PROBABLE = edit("runtime.py", "int(logits.argmax())", "int(logits.argmin())")
TURNED_ROUND = edit("runtime.py", '["positive"]] >= threshold', '["positive"]] < threshold')
CUT_ON_THE_LEFT = edit("rendering.py", "kept = left.ids[:n_left]", "kept = left.ids[len(left.ids) - n_left :]")
LEFT_TWICE = edit("rendering.py", "self._tokens(rows, self.right)", "self._tokens(rows, self.left)")
SPOILED_FILES = {
    "runtime multiplies by T": ("_copy", MULTIPLIED),
    "runtime answers the least probable label": ("_copy", LEAST_PROBABLE),
    "runtime turns decisions round": ("_copy", TURNED_ROUND),
    "rendering reads the left side twice": ("_copy", LEFT_TWICE),
    "rendering cuts on the left": ("_copy", CUT_ON_THE_LEFT),
    "the teacher's model": ("_copy", teachers_model),
    "another model's int8 file": ("_copy", other_int8),
    "another padding id": ("_copy", other_padding),
    "softmax in the int8 file": ("_copy", ending("model.int8.onnx", "Softmax")),
    "sigmoid in the int8 file": ("_copy", ending("model.int8.onnx", "Sigmoid")),
    "softmax in the fp32 file": ("_copy", ending("model.onnx", "Softmax")),
    "lower-casing switched off": ("write_tokenizer", lower_case_off),
    "the tokenizer cuts on the left": ("write_tokenizer", cut_on_the_left),
}


@pytest.mark.parametrize("fault", SPOILED_FILES)
def test_a_spoiled_file_is_caught(parts, tmp_path, monkeypatch, fault):
    after_writing(monkeypatch, *SPOILED_FILES[fault])
    with pytest.raises(GateFailed) as caught:
        build(parts, tmp_path / "out")
    assert caught.value.exit_code == 3


OTHER_VIEWS = {
    "max_tokens 16 for 24": {"max_tokens": 16},
    "the last left field dropped": {"left": VIEW.left[:-1]},
    "left fields in another order": {"left": VIEW.left[::-1]},
    "right fields in another order": {"right": VIEW.right[::-1]},
    "sides swapped": {"left": VIEW.right, "right": VIEW.left},
    "another separator": {"separator": " "},
    "no budgets": {"budgets": {}},
    "one window": {"windows": None},
    "windows pooled by the largest": {"windows": {**VIEW.windows.model_dump(), "pool": "max"}},
    "no right side at all": {"left": VIEW.right, "right": None},
}


@pytest.mark.parametrize("fault", OTHER_VIEWS)
def test_another_view_is_caught(parts, tmp_path, monkeypatch, fault):
    before_reading(monkeypatch, **OTHER_VIEWS[fault])
    with pytest.raises(GateFailed) as caught:
        build(parts, tmp_path / "out")
    assert caught.value.exit_code == 3


OTHER_ANSWERS = {
    "labels reversed": lambda after: {**after, "labels": after["labels"][::-1]},
    "two labels swapped": lambda after: {**after, "labels": [*after["labels"][1::-1], after["labels"][2]]},
    "temperature and points of int8 for all": int8_for_all,
    "temperature 1": lambda after: {**after, "temperature": dict.fromkeys(after["temperature"], 1.0)},
    "a threshold moved by a thousandth": moved_threshold,
    "another positive label": lambda after: {**after, "positive": "ment_pr"},
    "several labels": lambda after: {**after, "kind": "multi", "activation": "sigmoid"},
    "sigmoid": lambda after: {**after, "activation": "sigmoid"},
}


@pytest.mark.parametrize("fault", OTHER_ANSWERS)
def test_other_answers_are_caught(parts, tmp_path, monkeypatch, fault):
    after_reading(monkeypatch, OTHER_ANSWERS[fault])
    with pytest.raises(GateFailed) as caught:
        build(parts, tmp_path / "out")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("operator", ["Softmax", "Sigmoid"])
@pytest.mark.parametrize("space", [SPACE, MULTI], ids=["single", "multi"])
def test_an_activation_inside_the_exported_int8_file_is_caught_by_the_scale_of_its_logits(tmp_path, operator, space):
    model = make_model(tmp_path / "model")
    exports = make_exports(tmp_path / "export", model)
    ending("model.onnx", operator)(exports["int8"])
    with pytest.raises(GateFailed, match="an activation or a factor is inside the file"):
        build((model, exports), tmp_path / "out", space)


@pytest.mark.parametrize("factor", [3, 0.5, -1])
def test_scaled_logits_are_caught(parts, factor):
    artifacts = {one.target.precision: one for one in contents_of(parts).artifacts}
    logits = np.random.default_rng(1).normal(0, 2, (50, 3)).astype(np.float32)
    expected.require_same_scale({"fp32": logits, "int8": logits + np.float32(0.1)}, artifacts, SPACE)
    with pytest.raises(GateFailed, match=f"int8 .*\\n.*\\n.*they are {factor} times those of fp32"):
        expected.require_same_scale({"fp32": logits, "int8": logits * factor}, artifacts, SPACE)


@pytest.fixture(scope="module")
def proof(parts):
    """What a run would have stored of both files, for a few records."""
    model, exports = parts
    stored = {}
    for name, points in (("fp32", POINTS), ("int8", INT8_POINTS)):
        logits = TARGETS[name].scorer(exports[name], model, ALONE).score(RECORDS).logits
        stored[name] = Stored(logits, TEMPERATURES[name], points)
    return Proof([f"r{i}" for i in range(len(RECORDS))], RECORDS, stored, SPACE, sha256(model / "model.safetensors"))


@pytest.fixture(scope="module")
def proved(parts, proof, tmp_path_factory):
    """A finished bundle that passes its proof."""
    folder = build(parts, tmp_path_factory.mktemp("proved") / "out")
    prove(folder, proof, threads=1)
    return folder


def resealed(bundle, folder, change):
    """A copy with a changed file and a manifest that fits it; what its own check would refuse, the client must see."""
    copy = copy_of(bundle, folder)
    change(copy)
    text = (copy / "runtime.py").read_text(encoding="utf-8")
    (copy / "runtime.py").write_text(text.replace("verify: bool = True", "verify: bool = False"), encoding="utf-8")
    reseal(copy)
    return copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (MULTIPLIED, "fp32; .*\n.*\n.*record r0: probability"),
        (LEAST_PROBABLE, "record r0: label '.*', expected '"),
        (TURNED_ROUND, "record r.: decision .* at 'f1'"),
        (edit("postprocessing.json", '"fp32": 1.5', '"fp32": 1.51'), "record r.: probability"),
        (edit("postprocessing.json", '"int8": 2.5', '"int8": 2.51'), "measured: int8"),
        (edit("postprocessing.json", '"f1": 0.55', '"f1": 0.551'), "operating points .*0.551"),
        (edit("preprocessing.json", '"max_tokens": 24', '"max_tokens": 20'), "record .*: logits differ by"),
        (teachers_model, "made from the weights teacher…, the student's are"),
        (lambda folder: (folder / "runtime.py").write_text("import torch_of_another_world\n"), "own runtime.py"),
        (edit("runtime.py", '{"label": label,', '{"lable": label,'), "of another form: KeyError: 'label'"),
        (
            edit("runtime.py", "        threshold = None if", '        print("hello")\n        threshold = None if'),
            "form",
        ),
    ],
)
def test_a_bundle_that_gives_other_answers_than_the_run_measured_is_named(proved, proof, tmp_path, change, message):
    with pytest.raises(GateFailed, match=message):
        prove(resealed(proved, tmp_path, change), proof, threads=1)


def test_labels_of_several_are_proved_too(tmp_path):
    model = make_model(tmp_path / "model")
    exports = make_exports(tmp_path / "export", model)
    folder = build((model, exports), tmp_path / "out", MULTI)
    logits = TARGETS["fp32"].scorer(exports["fp32"], model, ALONE).score(RECORDS).logits
    assert (logits >= 0).any() and (logits < 0).any()
    stored = {"fp32": Stored(logits, 1.5, POINTS)}
    weights = sha256(model / "model.safetensors")
    prove(folder, Proof(list("абвгд"), RECORDS, stored, MULTI, weights), threads=1)
    with pytest.raises(GateFailed, match="record а: label"):
        prove(folder, Proof(list("абвгд"), RECORDS, stored, SPACE, weights), threads=1)


def test_a_client_with_the_tokenizer_alone_reads_the_same_ids():
    """As transformers takes it: AutoTokenizer, and told to cut and to pad."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(shared_bundle())
    renderer = View("card", VIEW, shared_bundle() / "tokenizer.json").renderer()
    lines = [json.loads(line) for line in (shared_bundle() / "golden.jsonl").read_text("utf-8").split("\n") if line]
    sides = [renderer.text(line["record"]) for line in lines]
    batch = tokenizer([left for left, _ in sides], [right for _, right in sides], truncation=True, padding=True)
    for line, ids, mask in zip(lines, batch["input_ids"], batch["attention_mask"], strict=True):
        first = line["windows"][0]["ids"]
        assert ids == first + [0] * (len(ids) - len(first)) and sum(mask) == len(first)
    assert {len(ids) for ids in batch["input_ids"]} == {VIEW.max_tokens} and tokenizer.pad_token == "[PAD]"


def test_a_bundle_that_never_answers_is_named(proved, proof, monkeypatch):
    monkeypatch.setattr(clean_process, "_SECONDS", 0.01)
    with pytest.raises(GateFailed, match="does not answer"):
        prove(proved, proof, threads=1)
