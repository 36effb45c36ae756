"""A tiny exported classifier with its tokenizer and view, and subjects without files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from benchmarks.subjects import Subject, trained_subject
from distill.core.files import write_json
from distill.core.project import ViewConfig
from distill.core.view import View
from distill.families.encoder import Encoder
from export.config import load_target

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "перфоратор", "кейс", "monitor", "arm"]


@pytest.fixture
def subject():
    """A subject by name; nothing of it exists on disk."""

    def make(name, view="card", runtime="onnxruntime", precision="int8", role="student"):
        export = Path("export") / name if runtime == "onnxruntime" else None
        return Subject(name, view, runtime, precision, Path("models") / name, role, export=export)

    return make


@pytest.fixture
def model_folder(tmp_path):
    """A model folder of an encoder with a word tokenizer and a pair view; no weights."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = ViewConfig(
        left=["product.title"], right=["page.title"], max_tokens=8, windows={"stride": 1, "max": 3, "pool": "max"}
    )
    View("card", config, folder / "tokenizer.json").save(folder)
    write_json(folder / "config.json", {})
    return folder


@pytest.fixture
def onnx_subject(model_folder):
    """A graph whose logits are the mean of its words' rows of a table; it runs in ONNX Runtime."""
    table = numpy_helper.from_array(np.eye(len(WORDS), 3, dtype=np.float32), "table")
    axes = numpy_helper.from_array(np.array([1]), "axes")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("ReduceMean", ["words", "axes"], ["logits"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "S"])]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", 3])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, [table, axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, model_folder / "model.onnx")
    trained = trained_subject("tiny@card", "card", model_folder, "student", Encoder())
    return trained.exported(load_target("onnx"), model_folder)


@pytest.fixture
def rows():
    """Twelve requests of different lengths, some read in several windows."""
    titles = ["кейс monitor arm " * (1 + number % 4) for number in range(12)]
    return [{"product.title": "перфоратор", "page.title": title} for title in titles]
