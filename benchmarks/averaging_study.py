"""What a running average of the weights is worth: one fine-tuning at a constant rate, measured twice an epoch.

`python -m benchmarks.averaging_study RUN ENCODER --rate 6e-5 --epochs 8 --out FILE` trains an encoder on the gold cards
of RUN by a plain loop: AdamW, batches of 16, warm-up, then a constant rate. Every half epoch the last weights and their
averages with powers 3, 7 and 15 are measured on validation, and on 5,000 test rows at the temperature of validation. It
is what the averages, rates and the head's rate of the presets were chosen by, on validation.
`--table FOLDER --name NAME` makes one document of files `SET/RECIPE.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.plain_fine_tuning import (
    BATCH,
    CLIP,
    WEIGHT_DECAY,
    Cards,
    Rows,
    classifier,
    forward,
    logits_of,
    read_cards,
)
from distill.core.errors import DistillError, UserError
from distill.core.files import read_json, write_json
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import tally

if TYPE_CHECKING:
    from torch.optim import AdamW
    from transformers import PreTrainedModel

POWERS = (3, 7, 15)
MOST_TEST_ROWS, MOST_WARMUP = 5000, 200
_RESULTS = Path(__file__).resolve().parent / "results"
Figures = dict[str, Any]
_ABOUT = {
    "kind": "averaging_study",
    "title": "How training ends: running averages of the weights at a constant rate",
    "command": "python -m benchmarks.averaging_study RUN ENCODER --rate RATE --head HEAD --epochs EPOCHS --out FILE",
}


def study(cards: Cards, encoder: Path, rate: float, head: float, epochs: int, seed: int) -> Iterator[Figures]:
    """One row for every half epoch: step, epoch, and figures of the last weights and of each average.

    Args: head: the head's learning rate, as a multiple of `rate`.
    """
    import torch
    from torch.optim.lr_scheduler import LambdaLR

    from distill.training.averaging import WeightAverage

    torch.set_num_threads(cards.threads)
    torch.manual_seed(seed)
    model = classifier(encoder, len(cards.labels), "cuda" if torch.cuda.is_available() else "cpu")
    train, valid, test = (cards.parts[part] for part in ("train", "valid", "test"))
    test = _sample(test, MOST_TEST_ROWS)
    averages = {power: WeightAverage(model, power) for power in POWERS}
    optimiser, epoch_steps = _optimiser(model, rate, head), -(-len(train.windows) // BATCH)
    warmup, step = min(epoch_steps, MOST_WARMUP), 0
    schedule = LambdaLR(optimiser, lambda done: min(1.0, (done + 1) / warmup))
    model.train()
    for epoch in range(epochs):
        order = np.random.default_rng([seed, epoch]).permutation(len(train.windows))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            logits = forward(model, [train.windows[index] for index in batch])
            target = torch.from_numpy(train.target[batch]).to(model.device)
            torch.nn.functional.cross_entropy(logits, target).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            step += 1
            for average in averages.values():
                average.take(step)
            if step % max(1, epoch_steps // 2) == 0:
                row = {"step": step, "epoch": round(step / epoch_steps, 2), **_measured("raw", model, valid, test)}
                for power, average in averages.items():
                    with average.applied():
                        row |= _measured(f"a{power}", model, valid, test)
                yield row
                model.train()


def summary(rows: Sequence[Mapping[str, Any]]) -> Figures:
    """For the last weights and each average: the row with the lowest log loss on validation."""
    found = {}
    for kind in ("raw", *(f"a{power}" for power in POWERS)):
        best = min(rows, key=lambda row: row[kind][0])
        names = ("log_loss", "f1_macro", "accuracy")
        found[kind] = {"epoch": best["epoch"], "step": best["step"], **dict(zip(names, best[kind], strict=True))}
    return found


def _optimiser(model: PreTrainedModel, rate: float, head: float) -> AdamW:
    import torch

    inner = {id(weight) for weight in model.base_model.parameters()}
    groups = []
    for decayed in (True, False):
        for of_head in (True, False):
            weights = [w for w in model.parameters() if (w.ndim > 1) == decayed and (id(w) not in inner) == of_head]
            own = {"weight_decay": WEIGHT_DECAY if decayed else 0.0, "lr": rate * (head if of_head else 1)}
            groups.append({"params": weights, **own})
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def _sample(rows: Rows, most: int) -> Rows:
    chosen = np.random.default_rng(0).permutation(len(rows.windows))[:most]
    return Rows([rows.windows[index] for index in chosen], rows.target[chosen])


def _measured(name: str, model: PreTrainedModel, valid: Rows, test: Rows) -> Figures:
    """Log loss, macro F1 and accuracy of validation, and of the test rows at validation's temperature."""
    logits = logits_of(model, valid)
    temperature = fit_temperature(logits, valid.target)
    at = {name: tally(logits / temperature, valid.target)}
    at[f"{name}_test"] = tally(logits_of(model, test) / temperature, test.target)
    totals = {key: one.total() for key, one in at.items()}
    return {
        key: [round(float(value), 4) for value in (total.log_loss, total.f1_macro, total.accuracy)]
        for key, total in totals.items()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.table:
            found = {
                str(path.relative_to(options.table).with_suffix("")): read_json(path) for path in _files(options.table)
            }
            sets = {name: {"best": summary(rows), "curve": rows} for name, rows in found.items()}
            write_json(options.results / f"{options.name}.json", {**_ABOUT, "remark": options.remark, "runs": sets})
            print(json.dumps({name: one["best"] for name, one in sets.items()}))
            return 0
        rows = []
        cards = read_cards(options.run, options.encoder)
        for row in study(cards, options.encoder, options.rate, options.head, options.epochs, options.seed):
            rows.append(row)
            write_json(options.out, rows)
    except DistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*/*.json"))
    if not found:
        raise UserError("no files SET/RECIPE.json", where=str(folder), do="run the study first")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.averaging_study", description=__doc__)
    add = parser.add_argument
    add("run", type=Path, nargs="?", help="a run folder with records")
    add("encoder", type=Path, nargs="?", help="Hugging Face folder to start from")
    add("--rate", type=float, default=5e-5, help="learning rate")
    add("--head", type=float, default=1.0, help="the head's learning rate, as a multiple")
    add("--epochs", type=int, default=8)
    add("--seed", type=int, default=1)
    add("--out", type=Path, help="file of the rows")
    add("--table", type=Path, help="folder with files SET/RECIPE.json: make one document instead")
    add("--name", default="averaging_study", help="of the document")
    add("--remark", default="", help="how the files were made, shown with the table")
    add("--results", type=Path, default=_RESULTS, help="folder of the document")
    return parser


if __name__ == "__main__":
    sys.exit(main())
