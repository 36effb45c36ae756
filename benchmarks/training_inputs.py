"""What the loops of `benchmarks.training` are given: the same models, rows and batches, in plain files."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import read_json, sha256, sha256_json, write_json
from distill.core.project import Task, ViewConfig
from distill.core.record_store import iter_records, write_records
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import Lesson

_TEMPERATURE, _WARMUP, _WEIGHT_DECAY, _CLIP, _BATCH = 2.0, 0.1, 0.01, 1.0, 32
_VALID_ROWS = 100


@dataclass(frozen=True)
class Job:
    """What is trained.

    Attributes: layers: the student keeps so many of the teacher's, the first ones. rows: of training and pool, at most.
        settings: of the student's training, beside length, rate and batch.
    """

    run: Path
    teacher: Path
    layers: int
    rows: int
    epochs: int
    threads: int
    view: str = "card"
    learning_rate: float = 1e-4
    batch_size: int = _BATCH
    seed: int = 1
    settings: dict[str, Any] | None = None

    @property
    def training(self) -> dict[str, Any]:
        """The student's training, of a fixed length."""
        fixed = {"epochs": self.epochs, "checkpoint": "last", "learning_rate": self.learning_rate, "precision": "fp32"}
        rest = {"batch_size": self.batch_size, "warmup": _WARMUP, "weight_decay": _WEIGHT_DECAY, "may_collapse": True}
        return {**fixed, **rest, "max_grad_norm": _CLIP, "save_steps": 10**6, **(self.settings or {})}

    @property
    def digest(self) -> str:
        """Of everything that a cell depends on. Raises: UserError as `space`."""
        view = self.view_config.as_json()  # first of all: it tells whether there is a run
        own = {name: value for name, value in asdict(self).items() if name not in ("run", "teacher")}
        files = [self.run / "records" / "train.parquet", *sorted(self.teacher.glob("*.safetensors"))]
        return sha256_json([own, [sha256(path) for path in files], view])

    @property
    def config(self) -> dict[str, Any]:
        """The run's resolved config. Raises: UserError for a folder that is no run with a fitted teacher."""
        for path in (self.run / "run.json", self.run / "records" / "train.parquet", self.teacher / "config.json"):
            if not path.is_file():
                do = "make it first: distill teach --config … --out RUN"
                raise UserError("no run with a teacher here", where=str(path), do=do)
        return dict(read_json(self.run / "run.json")["config"])

    @property
    def view_config(self) -> ViewConfig:
        """The view that both models read; rows are cut to one window."""
        views = self.config["views"]
        if self.view not in views:
            raise UserError("no such view", where="--view", found=self.view, do=f"one of: {', '.join(views)}")
        found = parse(ViewConfig, views[self.view], "run.json", f"views.{self.view}")
        return found.model_copy(update={"windows": None})

    def lesson(self, folder: Path) -> Lesson:
        """The student's lesson, on what `export` left in `folder`; `labels` is for the caller to name."""
        return Lesson(
            title="distilling",
            space=parse(Task, self.config["task"], "run.json", "task").space,
            view=self.view,
            view_config=self.view_config,
            records=folder / "records",
            source=folder / "teacher",
            seed=self.seed,
            threads=self.threads,
        )


def export(job: Job, folder: Path) -> None:
    """Fill `folder`: `records`, `teacher`, `student`, `rows.npz` (ids, types, starts, and row numbers of every epoch in
    order) and `job.json`. Raises: UserError as `Job.config`, and for a teacher with too few layers.
    """
    from distill.families.copying import copy_model

    _write_records(job, folder / "records")
    (folder / "teacher").mkdir(parents=True, exist_ok=True)
    view = View(job.view, job.view_config, job.teacher / TOKENIZER_FILE)
    copy_model(job.teacher, view, folder / "teacher")
    inputs = _write_student(job, folder)
    _write_rows(job, folder)
    about = {name: getattr(job, name) for name in ("epochs", "threads", "learning_rate", "batch_size", "seed")}
    rest = {"temperature": _TEMPERATURE, "warmup": _WARMUP, "weight_decay": _WEIGHT_DECAY, "max_grad_norm": _CLIP}
    write_json(folder / "job.json", {**about, **rest, "pad_id": view.renderer().pad_id, "inputs": inputs})


def _write_records(job: Job, folder: Path) -> None:
    """Training and pool rows as one split, so that all are labelled and learnt; and a few validation rows."""
    source = job.run / "records"
    names = ["train", *sorted(path.stem for path in source.glob("pool.*.parquet"))]
    rows = (Record(record.id, record.fields) for name in names for record in iter_records(source, name))
    write_records(folder / "pool.all.parquet", islice(rows, job.rows))
    write_records(folder / "valid.parquet", islice(iter_records(source, "valid"), _VALID_ROWS))
    write_records(folder / "train.parquet", [])


def _write_student(job: Job, folder: Path) -> list[str]:
    """The untrained student, and which inputs it reads."""
    from distill.models.encoder import input_names, layer_stack, load_classifier
    from distill.models.layer_map import RULES
    from distill.models.quiet_transformers import quiet_transformers
    from distill.models.truncation import keep_layers

    model = load_classifier(folder / "teacher")
    available = len(layer_stack(model))
    if job.layers > available:
        raise UserError(
            "the student has more layers than its teacher", where="--layers", found=f"{job.layers} of {available}"
        )
    keep_layers(model, RULES["first"](available, job.layers))
    with quiet_transformers():
        model.save_pretrained(folder / "student")
    return input_names(model)


def _write_rows(job: Job, folder: Path) -> None:
    from distill.training.examples import LengthGroupedSampler

    renderer = View(job.view, job.view_config, folder / "teacher" / TOKENIZER_FILE).renderer()
    rows = [record.fields for record in iter_records(folder / "records", "pool.all")]
    windows = [one.windows[0] for one in renderer.encode_batch(rows)]
    lengths = [len(window.ids) for window in windows]
    sampler, orders = LengthGroupedSampler(lengths, job.batch_size, job.seed), []
    for epoch in range(job.epochs):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
    np.savez(
        folder / "rows.npz",
        ids=np.concatenate([window.ids for window in windows]).astype(np.int32),
        types=np.concatenate([window.type_ids for window in windows]).astype(np.uint8),
        starts=np.cumsum([0, *lengths]),
        orders=np.array(orders),
    )
