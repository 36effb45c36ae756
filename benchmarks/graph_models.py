"""Classifiers of the shapes that are timed, cards of an exact length, and a bundle of one of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.core.errors import UserError
from distill.core.files import Json, read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.view import View

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LABELS = ("no", "maybe", "yes")
_HEAD = {384: 32}  # of MiniLM; wider encoders have heads of 64


def write_classifier(encoder: Path, folder: Path, tokens: int, shape: str | None = None) -> Json:
    """Write a classifier with a fresh head into `folder`: of an encoder, or of a shape with random weights.

    Args: encoder: a BERT's folder; its tokenizer serves in both cases. tokens: most that its cards have. shape: layers
        and width, such as `12x768`.
    Returns: `name`, `layers`, `width`, `inner`, `heads`, `weights`.
    """
    import torch

    from distill.models.encoder import load_classifier

    torch.manual_seed(1)
    model = random_classifier(encoder, shape, LABELS) if shape else load_classifier(encoder, LABELS)
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    shutil.copy(encoder / "tokenizer.json", folder)
    view = ViewConfig(left=["title"], right=["page"], max_tokens=tokens)
    View("card", view, folder / "tokenizer.json").save(folder)
    config: Any = model.config
    facts = {"layers": config.num_hidden_layers, "width": config.hidden_size, "heads": config.num_attention_heads}
    name = f"{facts['layers']} × {facts['width']}"
    return {"name": name, **facts, "inner": config.intermediate_size, "weights": "random" if shape else encoder.name}


def is_shape(text: str) -> bool:
    """Whether a text names layers and a width that heads divide, such as `12x768`."""
    layers, _, width = text.partition("x")
    return layers.isdigit() and width.isdigit() and int(layers) > 0 and int(width) > 0 and int(width) % 64 == 0


def require_shapes(encoder: Path, shapes: Sequence[str]) -> None:
    """Check what a command was given. Raises: UserError for a folder without an encoder, and for what is no shape."""
    if not (encoder / "config.json").is_file():
        raise UserError("--encoder: no encoder there", where=str(encoder), do="name a folder with config.json")
    if bad := [shape for shape in shapes if not is_shape(shape)]:
        raise UserError("a shape is layers x width, width a multiple of 64", found=bad[0], do="for instance 12x768")


def random_classifier(encoder: Path, shape: str, labels: Sequence[str]) -> PreTrainedModel:
    """A BERT of a shape with random weights. Args: encoder: a folder whose vocabulary it has."""
    from transformers import BertConfig, BertForSequenceClassification

    layers, width = map(int, shape.split("x"))
    config = BertConfig(
        vocab_size=read_json(encoder / "config.json")["vocab_size"],
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // _HEAD.get(width, 64),
        intermediate_size=4 * width,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    return BertForSequenceClassification(config).eval()


def card(renderer: Renderer, tokens: int) -> Json:
    """A card that the model reads as exactly so many tokens, special ones included."""
    for words in range(tokens):
        found = {"title": " ".join(["a"] * (words // 2)), "page": " ".join(["b"] * (words - words // 2))}
        if renderer.encode(found).read_tokens == tokens:
            return found
    raise ValueError(f"no card of {tokens} tokens under this tokenizer")


def write_bundle(folder: Path, model_folder: Path, files: Sequence[Path]) -> Path:
    """A bundle of the fp32 and the int8 file of a classifier."""
    from export.artifact import Artifact, Contents
    from export.build import PARITY
    from export.bundle import bundle
    from export.config import load_target

    artifacts = []
    for name, file in zip(("onnx", "onnx-int8"), files, strict=True):
        export = folder / "export" / name
        export.mkdir(parents=True)
        shutil.copy(file, export / "model.onnx")
        write_json(export / PARITY, {"finite": True})
        artifacts.append(Artifact(load_target(name), export))
    space = LabelSpace(LABELS, positive=LABELS[-1])
    out = folder / "bundle"
    out.mkdir()
    bundle(Contents("timed", model_folder, artifacts, space, json.loads("{}")), out, threads=1)
    return out
