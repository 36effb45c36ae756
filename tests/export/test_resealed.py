"""Bundles with edited content and a manifest that fits it, and damaged ones: none verifies, none is a traceback."""

import json
import random
from contextlib import suppress

import pytest

from distill.core.errors import GateFailed, UserError
from distill.core.files import read_json, write_json
from export import runtime
from export.checked_bundle import open_bundle, verify
from export.verify import BundleError
from tests.export.tiny_bundle import POINTS, copy_of, reseal, rewrite_golden, shared_bundle


@pytest.fixture
def folder(tmp_path):
    return copy_of(shared_bundle(), tmp_path)


def after(**changes):
    """Another postprocessing.json."""

    def change(folder):
        path = folder / "postprocessing.json"
        write_json(path, {**read_json(path), **changes})

    return change


def before(**changes):
    """Another preprocessing.json."""

    def change(folder):
        path = folder / "preprocessing.json"
        write_json(path, {**read_json(path), **changes})

    return change


def golden(change):
    """Each record of golden.jsonl changed by `change(number, line)`."""
    return lambda folder: rewrite_golden(folder, change)


def reversed_everywhere(folder):
    """Consistent in itself, but for what the model files say."""
    labels = ["about_pr", "ment_pr", "not_about_pr"]

    def change(number, line):
        for name, answer in line["answers"].items():
            values = list(answer["probabilities"].values())
            chances = dict(zip(labels, values, strict=True))
            least = {point: value for point, value in POINTS.items() if value is not None}
            positive = {point: chances["about_pr"] >= value for point, value in least.items()}
            line["answers"][name] = {"label": max(chances, key=chances.get), "probabilities": chances}
            line["answers"][name]["positive"] = positive
        return line

    after(labels=labels)(folder)
    config = {"id2label": {str(index): label for index, label in enumerate(labels)}}
    write_json(folder / "config.json", {**read_json(folder / "config.json"), **config})
    manifest(lambda content: content.update(labels=labels))(folder)
    rewrite_golden(folder, change)


def tolerant(number, line):
    return {**line, "tolerance": {"fp32": 1e9, "int8": 1e9}}


def manifest(change):
    """A manifest changed by `change(content)`, with a seal that fits and nothing else made to fit."""

    def apply(folder):
        path = folder / "manifest.json"
        content = read_json(path)
        change(content)
        write_json(path, fitting(content))

    return apply


def fitting(content):
    """A manifest with the hashes of itself that fit, as far as it still has what they are made of."""
    with suppress(KeyError, TypeError, AttributeError):
        content = {**content, "content_sha256": runtime.checks.content_sha256(content)}
    return {**content, "seal": runtime.checks.seal(content)}


def without(*names):
    def change(content):
        for name in names:
            del content["files"][name]

    return manifest(change)


def entry(name, **changes):
    return manifest(lambda content: content["artifacts"][name].update(changes))


RESEALED = {
    "label order": after(labels=["ment_pr", "not_about_pr", "about_pr"]),
    "labels reversed": after(labels=["about_pr", "ment_pr", "not_about_pr"]),
    "labels reversed everywhere": reversed_everywhere,
    "labels of config.json": lambda folder: write_json(folder / "config.json", {"id2label": {"0": "b", "1": "a"}}),
    "activation": after(activation="sigmoid"),
    "kind": after(kind="multi"),
    "kind and activation": after(kind="multi", activation="sigmoid"),
    "kind unknown": after(kind="graded", activation="identity"),
    "positive": after(positive="ment_pr"),
    "positive of no label": after(positive="nobody"),
    "temperature": after(temperature={"fp32": 1.6, "int8": 1.5}),
    "temperature 0": after(temperature={"fp32": 0, "int8": 0}),
    "temperature -1": after(temperature={"fp32": -1, "int8": -1}),
    "temperature of one file only": after(temperature={"fp32": 1.5}),
    "thresholds": after(operating_points={"fp32": {**POINTS, "f1": 0.41}, "int8": POINTS}),
    "thresholds over 1": after(operating_points={"fp32": {**POINTS, "f1": 7}, "int8": POINTS}),
    "an operating point less": after(operating_points={"fp32": {"f1": 0.4}, "int8": POINTS}),
    "max_tokens": before(max_tokens=16),
    "max_tokens 0": before(max_tokens=0),
    "fields": before(left=["product.title"]),
    "fields reordered": before(left=["product.defin", "product.title"]),
    "budgets": before(budgets={}),
    "pad id": before(pad_id=-1),
    "view": before(hash="0" * 64),
    "tolerance 1e9 in golden": golden(tolerant),
    "tolerance 1e9 in the manifest": entry("int8", tolerance=1e9),
    "tolerance of fp32": entry("fp32", tolerance=0.01),
    "tolerance NaN": entry("int8", tolerance=None),
    "criterion": entry("fp32", criterion="decisions", tolerance=0.01),
    "one golden record": lambda folder: (folder / "golden.jsonl").write_text(
        (folder / "golden.jsonl").read_text("utf-8").partition("\n")[0] + "\n", "utf-8"
    ),
    "one golden record many times": golden(lambda number, line: {**line, "id": "again"}),
    "no files listed": manifest(lambda content: content["files"].clear()),
    "golden unlisted": without("golden.jsonl"),
    "the verifier unlisted": without("verify.py"),
    "a model unlisted": without("model.int8.onnx"),
    "no artifacts": manifest(lambda content: content["artifacts"].clear()),
    "a model file outside": entry("int8", file="../model.onnx"),
    "a foreign model beside": lambda folder: (folder / "model.fp16.onnx").write_bytes(b"onnx"),
    "weights": manifest(lambda content: content.update(weights_sha256="0" * 64)),
}
UNLISTED_STAY = ("no files listed", "unlisted", "tolerance", "criterion", "no artifacts", "outside", "weights")


def test_labels_that_are_reversed_everywhere_are_not_those_of_the_model_file(folder):
    reversed_everywhere(folder)
    reseal(folder)
    with pytest.raises(GateFailed, match="model.onnx was made for other labels"):
        verify(folder, threads=1)


@pytest.mark.parametrize("fault", RESEALED)
def test_a_resealed_bundle_does_not_verify(folder, fault):
    RESEALED[fault](folder)
    if not any(name in fault for name in UNLISTED_STAY):
        reseal(folder)
    with pytest.raises((UserError, GateFailed)) as caught:
        verify(folder, threads=1)
    assert caught.value.exit_code in (2, 3)
    with pytest.raises((UserError, GateFailed)):
        open_bundle(folder, "fp32" if fault != "tolerance NaN" else "int8", threads=1)


def lines(change):
    """golden.jsonl as `change(lines)` says."""

    def apply(folder):
        path = folder / "golden.jsonl"
        path.write_text(
            "".join(change([f"{one}\n" for one in path.read_text("utf-8").rstrip("\n").split("\n")])), "utf-8"
        )

    return apply


def line(change):
    """The 31st golden record as `change(record)` says."""

    def edit(number, content):
        if number == 30:
            change(content)
        return content

    return golden(edit)


def file(name, content):
    return lambda folder: (folder / name).write_bytes(content)


DAMAGED = {
    "golden empty": lines(lambda found: []),
    "golden not JSON": lines(lambda found: [*found[:-1], "{]\n"]),
    "golden of arrays": lines(lambda found: ["[]\n" for _ in found]),
    "golden of numbers": lines(lambda found: ["1\n" for _ in found]),
    "golden nested": lines(lambda found: ["[" * 100_000 + "\n", *found]),
    "golden not UTF-8": lambda folder: (folder / "golden.jsonl").write_bytes(b"\xff\xfe"),
    "golden without logits": line(lambda content: content.pop("logits")),
    "golden without windows": line(lambda content: content.pop("windows")),
    "golden with an empty window list": line(lambda content: content.update(windows=[])),
    "golden with a record that is text": line(lambda content: content.update(record="text")),
    "golden with a lone surrogate": lines(lambda found: [one.replace('"я"', r'"\ud800"') for one in found]),
    "golden with fewer logits": line(lambda content: content["logits"]["fp32"].pop()),
    "golden with more logits": line(lambda content: content["logits"]["fp32"].append(0.0)),
    "golden with logits of text": line(lambda content: content["logits"].update(fp32=["a", "b", "c"])),
    "golden with huge logits": line(lambda content: content["logits"].update(fp32=[10**400, 0, 0])),
    "golden with null logits": line(lambda content: content["logits"].update(fp32=None)),
    "golden with an answer less": line(lambda content: content["answers"].pop("int8")),
    "golden with an empty answer": line(lambda content: content["answers"].update(fp32={})),
    "golden with null probabilities": line(lambda content: content["answers"]["fp32"].update(probabilities=None)),
    "labels fewer than logits": after(labels=["not_about_pr", "ment_pr"]),
    "labels a text": after(labels="about_pr"),
    "labels numbers": after(labels=[1, 2, 3]),
    "temperature a number": after(temperature=1.5),
    "temperature text": after(temperature={"fp32": "1.5", "int8": "1.5"}),
    "operating points a list": after(operating_points=[]),
    "no positive": lambda folder: (folder / "postprocessing.json").write_text('{"schema": 3}'),
    "postprocessing an array": file("postprocessing.json", b"[]"),
    "preprocessing empty": file("preprocessing.json", b""),
    "preprocessing of another schema": before(schema=1),
    "left a number": before(left=5),
    "left of numbers": before(left=[1, 2]),
    "no left": before(left=None),
    "windows a text": before(windows="many"),
    "windows without a stride": before(windows={"max": 3, "pool": "mean"}),
    "max_tokens text": before(max_tokens="24"),
    "max_tokens without room": before(max_tokens=3),
    "budgets of text": before(budgets={"page.title": "6"}),
    "pad id of no token": before(pad_id=10**6),
    "tokenizer not one": file("tokenizer.json", b"{}"),
    "model not one": file("model.onnx", b"onnx"),
    "model empty": file("model.int8.onnx", b""),
    "manifest an array": file("manifest.json", b"[]"),
    "manifest null": file("manifest.json", b"null"),
    "manifest not JSON": file("manifest.json", b"\xff"),
    "manifest nested": file("manifest.json", b"[" * 100_000),
    "manifest empty": file("manifest.json", b""),
    "manifest of numbers": manifest(lambda content: content.update(artifacts=3, files=4)),
    "manifest without a view": manifest(lambda content: content.pop("view")),
    "manifest with a number for a name": manifest(lambda content: content.update(name=7)),
    "an entry null": manifest(lambda content: content["artifacts"].update(fp32=None)),
    "an entry without its file": manifest(lambda content: content["artifacts"]["fp32"].pop("file")),
    "providers a number": entry("fp32", providers=1),
    "a file's entry null": manifest(lambda content: content["files"].update({"golden.jsonl": None})),
    "a file's entry empty": manifest(lambda content: content["files"].update({"golden.jsonl": {}})),
    "cpu a list": manifest(lambda content: content.update(cpu=[1])),
}  # fmt: skip


@pytest.mark.parametrize("fault", DAMAGED)
def test_a_damaged_bundle_is_named_and_no_traceback(folder, fault):
    DAMAGED[fault](folder)
    if (folder / "manifest.json").read_bytes() == (shared_bundle() / "manifest.json").read_bytes():
        reseal(folder)
    with pytest.raises((UserError, GateFailed)) as caught:
        verify(folder, threads=1)
    assert str(folder) in str(caught.value)
    with suppress(UserError, GateFailed):  # what is wrong may be of another artifact
        open_bundle(folder, threads=1)


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_ends_in_a_named_error(folder, seed):
    """One value of one JSON file becomes another JSON value, and the manifest is made to fit."""
    chance = random.Random(seed)
    path = folder / chance.choice(["preprocessing.json", "postprocessing.json", "golden.jsonl", "manifest.json"])
    text = path.read_text("utf-8").rstrip("\n").split("\n") if path.suffix == ".jsonl" else [path.read_text("utf-8")]
    number = chance.randrange(len(text))
    content = json.loads(text[number])
    place, key, where = chance.choice(list(places(content)))
    value = chance.choice([None, True, -1, 0, 1e308, "", "text", [], {}, [[]], {"a": {}}, 10**30])
    same, place[key] = place[key] == value, value
    text[number] = json.dumps(content, ensure_ascii=False, indent=None if path.suffix == ".jsonl" else 2)
    path.write_text("\n".join(text) + "\n", "utf-8")
    if path.name == "manifest.json":
        write_json(path, fitting(content))
    else:
        reseal(folder)
    try:
        report = runtime.verify(folder, threads=1)
    except BundleError:
        return
    assert not report["passed"] or same or HARMLESS & {str(one) for one in where}, (path.name, where, value)


# What a model was made from and by, and facts of its target that change no answer here.
HARMLESS = {"versions", "lineage", "tokenizer_sha256", "cpu", "target", "precision", "portable", "batch_invariant"}
HARMLESS |= {"license", "holds", "run", "content_sha256"}  # the last is made to fit


def places(value, where=()):
    """Every container in a JSON value with each of its keys, and the keys that lead there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key, (*where, key)
        yield from places(value[key], (*where, key))
