"""A peer of the trainer: one plain fine-tuning of an encoder on the gold cards of a prepared run, by a loop of its own.

`python -m benchmarks.plain_fine_tuning RUN ENCODER --rate 5e-5 --epochs 3 --seed 1 --out FILE` reads the rows and the
card view of RUN, so text and cut are those of the run's own models, and shares nothing else with them: AdamW, batches
of 16, linear warm-up over a tenth of the steps, then linear decay to 0; the last weights are measured, nothing is
selected. A FILE that was made from the same rows, encoder and recipe is kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.core.config import parse
from distill.core.errors import DistillError, UserError
from distill.core.files import read_json, sha256_json, write_json
from distill.core.project import Task, ViewConfig
from distill.core.record_store import read_records, splits
from distill.core.view import TOKENIZER_FILE, View
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import accuracy, f1_macro, log_loss

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from distill.core.rendering import Window

BATCH, WARMUP, WEIGHT_DECAY, CLIP = 16, 0.1, 0.01, 1.0
_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Recipe:
    """What differs between the runs of a grid. Attributes: max_steps: stop there, for trying the command out."""

    rate: float
    epochs: int
    seed: int
    max_steps: int | None = None


@dataclass(frozen=True)
class Rows:
    """Encoded rows of one part. Attributes: windows: N, one a row. target: float32 (N, C)."""

    windows: list[Window]
    target: NDArray[np.float32]


@dataclass(frozen=True)
class Cards:
    """The gold cards of a run under an encoder's tokenizer.

    Attributes: parts: train, valid, test. digest: of labels, row ids and token ids.
    """

    parts: dict[str, Rows]
    labels: list[str]
    threads: int
    digest: str


def read_cards(run: Path, encoder: Path) -> Cards:
    """Train, valid and all tests of a run, as its card view reads them.

    Raises: UserError when the run has no records, no validation rows, or a card of several windows.
    """
    if not (run / "run.json").is_file():
        raise UserError("no run here", where=str(run), do="prepare it first: distill audit --config … --out RUN")
    config, folder = read_json(run / "run.json")["config"], run / "records"
    view = View("card", parse(ViewConfig, config["views"]["card"], "run.json", "views.card"), encoder / TOKENIZER_FILE)
    if view.config.windows:
        raise UserError("the plain fine-tuning reads cards of one window only", where=f"{run}, views.card.windows")
    names = splits(folder)
    groups = {"train": ["train"], "valid": ["valid"], "test": [name for name in names if name.startswith("test.")]}
    records = {part: [row for name in group for row in read_records(folder, name)] for part, group in groups.items()}
    renderer, parts, seen = view.renderer(), {}, []
    for part, rows in records.items():
        windows = [item.windows[0] for item in renderer.encode_batch([record.fields for record in rows])]
        target = np.stack([record.target for record in rows if record.target is not None]).astype(np.float32)
        parts[part] = Rows(windows, target)
        seen += [[part, record.id, window.ids] for record, window in zip(rows, windows, strict=True)]
    labels = parse(Task, config["task"], "run.json", "task").labels
    return Cards(parts, labels, config["threads"], sha256_json([labels, seen]))


def fine_tune(cards: Cards, encoder: Path, recipe: Recipe) -> dict[str, Any]:
    """Train on the gold cards and measure the last weights: steps, seconds, figures of validation and test."""
    import torch

    from distill.inference.bf16 import has_bf16

    torch.set_num_threads(cards.threads)
    torch.manual_seed(recipe.seed)
    model = classifier(encoder, len(cards.labels), "cuda" if torch.cuda.is_available() else "cpu")
    started = time.monotonic()
    steps = _train(model, cards.parts["train"], recipe)
    seconds = time.monotonic() - started
    logits = {part: logits_of(model, cards.parts[part]) for part in ("valid", "test")}
    temperature = fit_temperature(logits["valid"], cards.parts["valid"].target)
    figures = {part: _figures(logits[part], cards.parts[part].target, temperature) for part in logits}
    device = model.device.type
    how = {"device": device, "precision": "bf16" if has_bf16(device) else "fp32", "seconds": round(seconds, 1)}
    return {"rows": len(cards.parts["train"].windows), "steps": steps, **how, "temperature": temperature, **figures}


def classifier(encoder: Path, classes: int, device: str) -> PreTrainedModel:
    """The encoder with a new head, float32, on `device`."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from distill.models.quiet_transformers import quiet_transformers

    with quiet_transformers():
        model = AutoModelForSequenceClassification.from_pretrained(
            encoder, num_labels=classes, ignore_mismatched_sizes=True, local_files_only=True, use_safetensors=True
        )
    return model.to(torch.device(device))


def _train(model: PreTrainedModel, rows: Rows, recipe: Recipe) -> int:
    """Train in place; returns the steps taken."""
    import torch

    # Biases and normalisation weights are not decayed, as usual for these encoders.
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate)
    total = recipe.epochs * -(-len(rows.windows) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step, total))
    model.train()
    for step, batch in enumerate(_batches(len(rows.windows), recipe), 1):
        logits = forward(model, [rows.windows[index] for index in batch])
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(rows.target[batch]).to(model.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step == recipe.max_steps:
            return step
    return total


def share_of_rate(step: int, total: int) -> float:
    """The learning rate of a step, counted from 0, as a share of the highest: linear warm-up, then linear decay to 0.

    Source: Devlin et al. 2018, "BERT", arXiv:1810.04805, section A.2, with the warm-up as a share of the steps.
    """
    warmup = max(1, round(WARMUP * total))
    return min((step + 1) / warmup, (total - step) / max(1, total - warmup))


def _batches(rows: int, recipe: Recipe) -> Iterator[NDArray[np.int64]]:
    """Row numbers of every step, in an order that depends on seed and epoch."""
    for epoch in range(recipe.epochs):
        order = np.random.default_rng([recipe.seed, epoch]).permutation(rows)
        yield from (order[start : start + BATCH] for start in range(0, rows, BATCH))


def logits_of(model: PreTrainedModel, rows: Rows) -> NDArray[np.float32]:
    """Float32 (N, C), in the order of the rows; rows of like length share a batch."""
    import torch

    model.eval()
    order = np.argsort([len(window.ids) for window in rows.windows], kind="stable")
    found = np.zeros_like(rows.target)
    with torch.inference_mode():
        for start in range(0, len(order), _EVALUATION_BATCH):
            batch = order[start : start + _EVALUATION_BATCH]
            found[batch] = forward(model, [rows.windows[index] for index in batch]).cpu().numpy()
    return found


def forward(model: PreTrainedModel, windows: Sequence[Window]) -> Tensor:
    """Float32 logits (B, C), in bf16 where the device multiplies it in hardware."""
    import torch

    from distill.inference.bf16 import has_bf16
    from distill.inference.collate import collate
    from distill.models.encoder import input_names

    arrays = collate(windows, model.config.pad_token_id or 0)
    inputs = {name: torch.from_numpy(arrays[name]).to(model.device) for name in input_names(model)}
    device = model.device.type
    # Around each pass, not around the loop: autocast keeps its bf16 copies of the weights until it is left.
    with torch.autocast(device, torch.bfloat16, enabled=has_bf16(device)):
        logits: Tensor = model(**inputs).logits
    return logits.float()


def _figures(logits: NDArray[np.float32], target: NDArray[np.float32], temperature: float) -> dict[str, float]:
    return {
        "accuracy": accuracy(logits, target),
        "f1_macro": f1_macro(logits, target),
        "log_loss_raw": log_loss(logits, target),
        "log_loss": log_loss(logits / temperature, target),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plain_fine_tuning", description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder with records")
    parser.add_argument("encoder", type=Path, help="a Hugging Face folder")
    parser.add_argument("--rate", type=float, required=True, help="highest learning rate")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--max-steps", type=int, help="stop early, for trying the command out")
    options = parser.parse_args(arguments)
    try:
        recipe = Recipe(options.rate, options.epochs, options.seed, options.max_steps)
        cards = read_cards(options.run, options.encoder)
        made_from = {"recipe": asdict(recipe), "encoder": _encoder_digest(options.encoder), "cards": cards.digest}
        if options.out.is_file() and read_json(options.out)["made_from"] == made_from:
            print(f"{options.out}: there already")
            return 0
        write_json(options.out, {"made_from": made_from, **fine_tune(cards, options.encoder, recipe)})
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(options.out)
    return 0


def _encoder_digest(encoder: Path) -> str:
    """Of the configuration and the weights."""
    from distill.core.files import sha256

    files = [encoder / "config.json", *sorted(encoder.glob("*.safetensors"))]
    return sha256_json([sha256(path) for path in files])


if __name__ == "__main__":
    sys.exit(main())
