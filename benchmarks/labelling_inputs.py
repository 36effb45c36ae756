"""What the sides of `benchmarks.labelling` are given: one classifier, and the same rows in blocks."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.datasets import PROJECTS, read_rows
from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import Json, read_object, write_json
from distill.core.project import ViewConfig
from distill.core.rendering import Renderer
from distill.core.tokenizer_settings import write_settings
from distill.core.view import TOKENIZER_FILE, View

_SET, _GOLD, _POOL = "wdc_products", "train_small", "test_unseen"
_GOLD_ROWS, _STRENGTH = 256, 0.01
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Job:
    """What is labelled.

    Attributes: data: the folder of all data sets. encoder: a pre-trained one, which gets a head; or a finished teacher.
        rows: in all. blocks: they are dealt into, at random: one for each round. batch_tokens: of our sides.
    """

    data: Path
    encoder: Path
    rows: int = 3000
    blocks: int = 6
    threads: int = 2
    batch_tokens: int = 4096
    seed: int = 1


def export(job: Job, folder: Path) -> Json:
    """Fill `folder`: `model`, `job.json`, `rows.json` and `pairs.json`, which are blocks of rows, and of their texts.

    Returns: `lengths`, tokens of each row by block, `layers`, `width`.

    Raises: UserError for missing data, an encoder that cannot be loaded, and rows that the data does not have.
    """
    raw = job.data / _SET
    view = _view()
    _write_model(job, raw, view, folder / "model")
    renderer = View("document", view, folder / "model" / TOKENIZER_FILE).renderer()
    rows = read_rows(raw / _POOL)
    if not 1 <= job.rows <= len(rows):
        raise UserError("there are not so many rows", where="--rows", found=job.rows, do=f"at most {len(rows)}")
    random.Random(job.seed).shuffle(rows)
    blocks = [rows[start : job.rows : job.blocks] for start in range(job.blocks)]
    encoded = [renderer.encode_batch(block) for block in blocks]
    write_json(folder / "rows.json", blocks)
    write_json(folder / "pairs.json", [[renderer.text(row) for row in block] for block in blocks])
    how = {"threads": job.threads, "batch_tokens": job.batch_tokens, "max_tokens": view.max_tokens}
    write_json(folder / "job.json", how)
    config = read_object(folder / "model" / "config.json")
    lengths = [[one.read_tokens for one in block] for block in encoded]
    return {"lengths": lengths, "layers": config["num_hidden_layers"], "width": config["hidden_size"]}


def _view() -> ViewConfig:
    """The document view of the data set's project."""
    path = PROJECTS / f"{_SET}.yaml"
    stored = yaml.safe_load(path.read_text(encoding="utf-8"))
    return parse(ViewConfig, stored["views"]["document"], str(path), "views.document")


def _write_model(job: Job, raw: Path, view: ViewConfig, folder: Path) -> None:
    """The encoder with a head over two classes: its own, or one that is fitted on frozen states of gold rows.

    A head of random weights has logits near zero, which rounding would hardly move.
    """
    import torch

    from distill.families.copying import copy_files
    from distill.models.encoder import input_names, load_classifier
    from distill.models.quiet_transformers import quiet_transformers

    copy_files(job.encoder, folder)
    bound = View("document", view, folder / TOKENIZER_FILE)
    bound.save(folder)
    torch.manual_seed(job.seed)
    finished = "ForSequenceClassification" in str(read_object(job.encoder / "config.json").get("architectures"))
    model = load_classifier(job.encoder, None if finished else ["0", "1"])
    if not finished:
        _fit_head(model, bound.renderer(), read_rows(raw / _GOLD)[:_GOLD_ROWS])
        with quiet_transformers():
            model.save_pretrained(folder)
    write_settings(bound, folder, input_names(model))


def _fit_head(model: Any, renderer: Renderer, rows: Rows) -> None:
    """Set the last layer to a logistic regression of the rows' labels on what that layer reads."""
    import torch
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    from distill.inference.collate import collate
    from distill.inference.token_budget import batches
    from distill.models.encoder import input_names
    from distill.models.head import output_layer

    last, states = output_layer(model), list[torch.Tensor]()
    order: list[int] = []
    hook = last.register_forward_pre_hook(lambda _, given: states.append(given[0].reshape(-1, last.in_features)))
    windows = [one.windows[0] for one in renderer.encode_batch(rows)]
    with torch.inference_mode():
        for batch in batches([len(window.ids) for window in windows], 4096, 64):
            inputs = collate([windows[index] for index in batch], renderer.pad_id)
            model(**{name: torch.from_numpy(inputs[name]) for name in input_names(model)})
            order.extend(batch.tolist())
    hook.remove()
    gold = np.array([rows[index]["label"] for index in order])
    scaler = StandardScaler()
    found = LogisticRegression(C=_STRENGTH, max_iter=2000).fit(scaler.fit_transform(torch.cat(states).numpy()), gold)
    weights = found.coef_[0] / scaler.scale_
    bias = float(found.intercept_[0] - weights @ scaler.mean_)
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(np.stack([-weights, weights]) / 2))
        last.bias.copy_(torch.tensor([-bias, bias]) / 2)
