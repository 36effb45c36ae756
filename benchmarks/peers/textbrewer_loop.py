"""TextBrewer's distillation loop over exported rows, run by the interpreter of an environment that has it.

`PYTHON textbrewer_loop.py FOLDER --mode online|cached` reads what `benchmarks.training_inputs` left in FOLDER: the
models `teacher` and `student`, `rows.npz` and `job.json`. It prints one JSON line: seconds from loading the models to
the last step, and the steps.

Source: Yang et al. 2020, "TextBrewer: An Open-Source Knowledge Distillation Toolkit for Natural Language Processing",
arXiv:2002.12620. `cached` is its `is_caching_logits`, which keeps every batch with the teacher's logits in memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import textbrewer
import torch
from transformers import AutoModelForSequenceClassification, get_linear_schedule_with_warmup


class Batches:
    """The batches of an epoch, then of the next: padded to their longest row. Args: folder: with `rows.npz`."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        rows = np.load(folder / "rows.npz")
        self._ids, self._types, self._starts = rows["ids"], rows["types"], rows["starts"]
        self._orders, self._size, self._pad = rows["orders"], job["batch_size"], job["pad_id"]
        self._inputs, self._epoch = job["inputs"], 0

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-self._orders.shape[1] // self._size)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """The batches of the next epoch."""
        order = self._orders[self._epoch % len(self._orders)]
        self._epoch += 1
        for start in range(0, len(order), self._size):
            yield self._batch(order[start : start + self._size])

    def _batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        spans = [slice(self._starts[row], self._starts[row + 1]) for row in rows]
        shape = (len(rows), max(span.stop - span.start for span in spans))
        ids = np.full(shape, self._pad, np.int64)
        mask, types = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, span in enumerate(spans):
            length = span.stop - span.start
            ids[row, :length], types[row, :length], mask[row, :length] = self._ids[span], self._types[span], 1
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: torch.from_numpy(arrays[name]) for name in self._inputs}


def distil(folder: Path, job: dict[str, Any], mode: str) -> dict[str, Any]:
    """Train the student by TextBrewer's basic distiller; seconds and steps."""
    torch.manual_seed(job["seed"])
    started = time.perf_counter()
    teacher, student = (
        AutoModelForSequenceClassification.from_pretrained(folder / name) for name in ("teacher", "student")
    )
    batches = Batches(folder, job)
    steps = job["epochs"] * len(batches)
    optimiser = torch.optim.AdamW(
        student.parameters(), lr=job["learning_rate"], weight_decay=job["weight_decay"], fused=True
    )
    schedule = {"num_warmup_steps": round(job["warmup"] * steps), "num_training_steps": steps}
    with tempfile.TemporaryDirectory() as output:
        distiller = textbrewer.BasicDistiller(
            textbrewer.TrainingConfig(device="cpu", output_dir=output),
            textbrewer.DistillationConfig(temperature=job["temperature"], is_caching_logits=mode == "cached"),
            teacher,
            student,
            _logits,
            _logits,
        )
        with distiller:
            distiller.train(
                optimiser,
                batches,
                num_epochs=job["epochs"],
                scheduler_class=get_linear_schedule_with_warmup,
                scheduler_args=schedule,
                max_grad_norm=job["max_grad_norm"],
            )
    return {"seconds": time.perf_counter() - started, "steps": steps}


def _logits(batch: Any, outputs: Any) -> dict[str, Any]:
    return {"logits": outputs.logits}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mode", choices=["online", "cached"], required=True)
    options = parser.parse_args()
    job = json.loads((options.folder / "job.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    print(json.dumps(distil(options.folder, job, options.mode)))


if __name__ == "__main__":
    main()
