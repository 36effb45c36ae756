"""Tiny classifiers of some families with random weights, exported once per session, and Cyrillic records to read."""

import json
import shutil

import pytest

FAMILIES = ("bert", "roberta", "distilbert")
LABELS = ["not_about_pr", "ment_pr", "about_pr"]
POSITIONS = 48


def tiny_config(family):
    import transformers as hf

    size = {"vocab_size": 120, "max_position_embeddings": POSITIONS, "initializer_range": 0.25, "pad_token_id": 0}
    bert = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    if family == "bert":
        return hf.BertConfig(**size, **bert)
    if family == "roberta":
        return hf.RobertaConfig(**size, **bert, type_vocab_size=1)
    if family == "xlm-roberta":
        return hf.XLMRobertaConfig(**size, **bert, type_vocab_size=1)
    if family == "mpnet":
        return hf.MPNetConfig(**size, **bert)
    return hf.DistilBertConfig(**size, dim=32, n_layers=3, n_heads=4, hidden_dim=64)


def make_rows(count):
    """Pairs of very different lengths, 4 to 40 tokens."""
    return [
        {
            "product.title": f"дрель Bosch {number} Вт",
            "page.title": " ".join(f"дрель {number * 7 + word} купить" for word in range(number * 5 % 11)),
        }
        for number in range(count)
    ]


def make_folder(family, path, rows):
    """A finished model folder: weights, tokenizer, view."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from distill.core.project import ViewConfig
    from distill.core.view import View
    from distill.models.fresh import train_wordpiece

    tokenizer = train_wordpiece([text for row in rows for text in row.values()], 120)
    tokenizer.save(str(path / "tokenizer.json"))
    config = tiny_config(family)
    config.id2label, config.label2id = dict(enumerate(LABELS)), {name: i for i, name in enumerate(LABELS)}
    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():  # fresh biases are 0, and the exporter drops additions of 0
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0, 0.1)
    model.save_pretrained(path)
    view = ViewConfig(left=["product.title"], right=["page.title"], max_tokens=40)
    View("card", view, path / "tokenizer.json").save(path)
    return path


@pytest.fixture(scope="session")
def rows():
    return make_rows(150)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, rows):
    """`model_folder(family)`, made once per session."""
    made = {}

    def get(family):
        if family not in made:
            made[family] = make_folder(family, tmp_path_factory.mktemp(family), rows)
        return made[family]

    return get


@pytest.fixture(scope="session")
def fp32(model_folder, tmp_path_factory):
    """`fp32(family)`: the family's fp32 export, made once per session; never change it."""
    from distill.models.to_onnx import export_fp32

    made = {}

    def get(family):
        if family not in made:
            made[family] = tmp_path_factory.mktemp(f"{family}-onnx") / "model.onnx"
            export_fp32(model_folder(family), made[family])
        return made[family]

    return get


@pytest.fixture
def edited(fp32, tmp_path):
    """`edited(fault)`: the path of a copy of BERT's fp32 export with a fault planted by `fault(model)`."""
    import onnx

    def plant(fault):
        model = onnx.load(fp32("bert"))
        fault(model)
        path = tmp_path / f"{fault.__name__}.onnx"
        onnx.save(model, path)
        return path

    return plant


@pytest.fixture(scope="module")
def export(model_folder, fp32, rows, tmp_path_factory):
    """`export(name, **settings)`: the artifact of tiny BERT as this target."""
    from distill.models import to_onnx
    from export.artifact import Artifact
    from export.build import export_target
    from export.config import load_target
    from export.evidence import Evidence, Sample

    def made(name, **settings):
        target = load_target(name, {"parity_rows": 20, **settings})
        folder = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(to_onnx, "export_fp32", lambda source, out: shutil.copyfile(fp32("bert"), out))
            export_target(target, model_folder("bert"), Evidence(Sample(rows[:40])), folder)
        return Artifact(target, folder, operating_points={"f1": 0.5})

    return made


def parity(artifact):
    return json.loads((artifact.folder / "parity.json").read_text(encoding="utf-8"))
