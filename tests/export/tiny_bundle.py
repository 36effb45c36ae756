"""A tiny random classifier as ONNX, fp32 and int8, its tokenizer and view, and a bundle made from them; no torch."""

import functools
import json
import shutil
import string
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from distill.core.files import sha256
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.project import ViewConfig
from distill.core.view import View
from export import bundle as bundles
from export import verify as checks
from export.artifact import Artifact, Contents
from export.config import load_target
from export.drift_reference import Reference
from export.expected import logits_of

TARGETS = {"fp32": load_target("onnx"), "int8": load_target("onnx-int8")}
LABELS = ("not_about_pr", "ment_pr", "about_pr")
SPACE = LabelSpace(LABELS, positive="about_pr")
MULTI = LabelSpace(LABELS, objective=MultiLabel(), positive="about_pr")
VIEW = ViewConfig(
    left=["product.title", "product.defin"],
    right=["page.title", "page.body"],
    max_tokens=24,
    budgets={"page.title": 6},
    windows={"stride": 4, "max": 3, "pool": "mean"},
)
POINTS = {"f1": 0.4, "recall@P>=0.9": 0.7, "precision@R>=0.9": None}
SINGLE_TEXT = ViewConfig(left=["title", "body"], max_tokens=12)
RECORDS = [
    {"product": {"title": "Дрель Bosch"}, "page": {"title": "Купить дрель", "body": "дрель аккумуляторная " * 20}},
    {"product.title": "наушники", "page.title": "🎧 наушники беспроводные"},
    {},
    {"product": {"title": "ёлка"}, "page": {"body": "x"}},
    {"page": {"title": "wireless headphones 5.3", "body": "black"}},
]


_KEPT = tempfile.TemporaryDirectory(prefix="tiny-bundle-")


@functools.cache
def shared_bundle() -> Path:
    """A finished bundle, built once per test session; never change it, change a `copy_of` it."""
    return make_bundle(Path(_KEPT.name))


def copy_of(bundle: Path, folder: Path) -> Path:
    """A copy of a bundle in `folder` that may be damaged."""
    return Path(shutil.copytree(bundle, folder / "copy"))


def read_only(bundle: Path) -> Path:
    """The bundle, which nobody may write to any more."""
    for path in (bundle, *bundle.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return bundle


def locked(folder: Path) -> list[Path]:
    """The folders in `folder` that their owner may not write to."""
    return [path for path in folder.rglob("*") if path.is_dir() and not path.stat().st_mode & 0o200]


def make_bundle(
    folder: Path, space=SPACE, view=VIEW, by_class=None, records=None, precisions=tuple(TARGETS), **options
) -> Path:
    """A finished bundle in `folder`/tiny; `options` go to `Contents`.

    Args: by_class: thresholds of each label. records: that drift is told by; None: 120 of `some_records`.
    """
    model = make_model(folder / "model", view)
    exports = make_exports(folder / "export", model)
    artifacts = [Artifact(TARGETS[name], exports[name], 1.5, POINTS, quality(), by_class or {}) for name in precisions]
    options = {"reference": reference(artifacts, model, records or some_records(120, view)), **options}
    contents = Contents("tiny", model, artifacts, space, {"teacher": "base@document"}, latency(), **options)
    out = folder / "tiny"
    out.mkdir()
    bundles.bundle(contents, out, threads=1)
    return out


def reference(artifacts, model: Path, records: list[dict]) -> Reference:
    """Records with what each file says of them."""
    logits = {one.target.name: logits_of(one, model, records) for one in artifacts}
    return Reference("valid", records, {}, logits)


def some_records(rows: int, view=VIEW, seed: int = 1, words: float = 5) -> list[dict]:
    """Flat records, of Poisson many words a field on average."""
    chance = np.random.default_rng(seed)
    known = ("дрель", "наушники", "bosch", "купить", "цена", "18v", "x2", "чёрный", "page", "title")
    return [{path: " ".join(chance.choice(known, chance.poisson(words))) for path in view.fields} for _ in range(rows)]


def make_model(folder: Path, view=VIEW) -> Path:
    """A model folder: tokenizer, view, config, and in place of weights what tells them from others."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    tokenizer().save(str(folder / "tokenizer.json"))
    View("card", view, folder / "tokenizer.json").save(folder)
    names = {str(index): label for index, label in enumerate(LABELS)}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": names}), encoding="utf-8")
    return folder


def make_exports(folder: Path, model: Path) -> dict[str, Path]:
    """Export folders of both precisions, with the metadata of a model folder."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    paths = {precision: folder / precision for precision in ("fp32", "int8")}
    for path in paths.values():
        path.mkdir(parents=True)
        (path / "parity.json").write_text('{"finite": true}', encoding="utf-8")
    fp32 = paths["fp32"] / "model.onnx"
    proto = classifier()
    said = {"source_sha256": sha256(model / "model.safetensors"), "view_hash": View.load(model).hash}
    helper.set_model_props(proto, {**said, "labels": json.dumps(LABELS)})
    fp32.write_bytes(proto.SerializeToString(deterministic=True))
    quantize_dynamic(fp32, paths["int8"] / "model.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
    return paths


def tokenizer() -> Tokenizer:
    """WordPiece over letters and digits, Latin and Cyrillic, with the template of BERT."""
    letters = string.ascii_lowercase + string.digits + ".,!?-" + "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters), "дрель", "наушники"]
    result = Tokenizer(WordPiece({piece: index for index, piece in enumerate(pieces)}, unk_token="[UNK]"))
    result.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    result.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    result.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    result.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return result


def classifier(width: int = 16, seed: int = 1) -> onnx.ModelProto:
    """logits = mean over tokens of tanh((words[id] + types[type]) @ dense), @ head; free batch and sequence axes."""
    rng = np.random.default_rng(seed)
    shapes = {"words": (200, width), "types": (2, width), "dense": (width, width), "head": (width, len(LABELS))}
    weights = [numpy_helper.from_array(rng.normal(0, 0.7, s).astype(np.float32), n) for n, s in shapes.items()]
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "over_tokens"))
    weights.append(numpy_helper.from_array(np.array([2], np.int64), "last"))
    node = helper.make_node
    nodes = [
        node("Gather", ["words", "input_ids"], ["word"]),
        node("Gather", ["types", "token_type_ids"], ["type"]),
        node("Add", ["word", "type"], ["embedded"]),
        node("MatMul", ["embedded", "dense"], ["projected"], name="dense"),
        node("Tanh", ["projected"], ["hidden"]),
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["wide_mask"]),
        node("Mul", ["hidden", "wide_mask"], ["kept"]),
        node("ReduceSum", ["kept", "over_tokens"], ["sum"], keepdims=0),
        node("ReduceSum", ["mask", "over_tokens"], ["count"], keepdims=1),
        node("Div", ["sum", "count"], ["mean"]),
        node("MatMul", ["mean", "head"], ["logits"], name="head"),
    ]
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def quality() -> dict:
    """Quality blocks as report.json holds them, shortened."""
    figure = {"value": 0.8123, "low": 0.79, "high": 0.83}
    point = {"threshold": 0.4, "accuracy": 0.8, "precision": 0.7332, "recall": 0.7923, "f1": 0.7616}
    per_class = {label: {"precision": 0.8, "recall": 0.8, "f1": 0.8} for label in LABELS}
    block = {
        "rows": 300,
        **dict.fromkeys(("accuracy", "f1_macro", "log_loss", "ece"), figure),
        "per_class": per_class,
        "positive": {"operating_points": {"f1": point, "recall@P>=0.9": point, "precision@R>=0.9": None}},
    }
    return {"valid": {**block, "rows": 100}, "test.unseen": block}


def latency() -> list[dict]:
    """One latency row."""
    return [{"model": "tiny", "view": "card", "runtime": "onnx", "precision": "fp32", "threads": 1, "p50_ms": 2.125}]


def rewrite_golden(folder: Path, change) -> None:
    """Apply `change` to each line of golden.jsonl, then make the manifest fit, as a forger or a bad merge would."""
    path = folder / "golden.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    changed = [change(number, line) for number, line in enumerate(lines)]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in changed), encoding="utf-8")
    reseal(folder)


def reseal(folder: Path, **changes) -> None:
    """Write the manifest anew for the files as they now are."""
    manifest = checks.read_json(folder / "manifest.json") | changes
    bundles.write_manifest(folder, {key: value for key, value in manifest.items() if key not in ("files", "seal")})
