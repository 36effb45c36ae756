"""A task that an encoder of two narrow layers learns in seconds: a page title names the class by one of its words."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from distill.core.files import read_json
from distill.core.label_space import LabelSpace
from distill.core.model_folder import HISTORY_FILE
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import Reporter, reporting
from distill.core.project import ViewConfig, Windows
from distill.core.record_store import read_records, write_records
from distill.core.records import Record
from distill.core.view import TOKENIZER_FILE, View
from distill.models.encoder import load_classifier
from distill.models.fresh import Shape, make_encoder
from distill.models.pretrained import save_tokenizer
from distill.training.altered_rows import Alteration
from distill.training.config import TrainingConfig
from distill.training.distillation_loss import DistillationLoss
from distill.training.examples import Example
from distill.training.fit import fit
from distill.training.losses.gold import Gold
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.run import Run

LABELS = ("мимо", "рядом", "точно")
SPACE = LabelSpace(LABELS)
SIGNS = ("ремонт", "аналог", "купить")
THINGS = ("дрель", "пила", "фреза", "лобзик", "рубанок", "ключ", "насос")
CARD = ViewConfig(left=["product.title"], right=["page.title"], max_tokens=16)
DOCUMENT = ViewConfig(left=["product.title"], right=["page.title", "page.body"], max_tokens=24)
WINDOWED = DOCUMENT.model_copy(update={"max_tokens": 14, "windows": Windows(stride=2)})


def toy_records(prefix, count, labelled=True):
    """Records of all classes in turn, with bodies of very different lengths."""
    made = []
    for number in range(count):
        thing, other = THINGS[number % 7], THINGS[number * 3 % 7]
        fields = {
            "product.title": f"{thing} {number % 9}",
            "page.title": f"{other} {SIGNS[number % 3]} {thing}",
            "page.body": " ".join(THINGS[(number + step) % 7] for step in range(number * 5 % 11)),
        }
        target = SPACE.target(LABELS[number % 3]) if labelled else None
        made.append(Record(f"{prefix}{number}", fields, target, "стройка", {"product.id": str(number % 5)}))
    return made


def write_toy(folder: Path, *, train=24, valid=12, pool=18, test=9) -> Path:
    """A records artifact."""
    write_records(folder / "train.parquet", toy_records("т", train))
    write_records(folder / "valid.parquet", toy_records("в", valid))
    write_records(folder / "pool.urls.parquet", toy_records("п", pool, labelled=False))
    write_records(folder / "test.seen.parquet", toy_records("э", test))
    return folder


def history_of(folder: Path):
    """What a fit wrote of itself beside its model."""
    return read_json(folder / HISTORY_FILE)


def write_unlike_toy(folder: Path, *, train=24, valid=12, pool=18, every: int = 0) -> Path:
    """A records artifact of the toy task in which no two rows read alike in a document view.

    Args: every: so many rows of the pool one reads like a training row; 0: none.
    """
    write_toy(folder, train=train, valid=valid, pool=pool)
    for split in ("train", "pool.urls"):
        rows = read_records(folder, split)
        own = [
            replace(row, fields={**row.fields, "page.title": f"{row.fields['page.title']} {row.id[0]} {number}"})
            for number, row in enumerate(rows)
        ]
        if split != "train" and every:
            likes = read_records(folder, "train")
            own[::every] = [replace(row, fields=likes[n % train].fields) for n, row in enumerate(own[::every])]
        write_records(folder / f"{split}.parquet", own)
    return folder


def toy_encoder(folder: Path, *, layers=2, width=16, seed=1, vocabulary=150) -> Path:
    """A Hugging Face folder of a narrow BERT with random weights."""
    texts = [text for record in toy_records("т", 60) for text in record.fields.values()]
    make_encoder(texts, folder, Shape(layers=layers, width=width, heads=2, vocabulary=vocabulary), seed)
    return folder


def toy_classifier(encoder: Path, folder: Path) -> Path:
    """A model folder that knows the task, so that runs of few steps from it do not end with one answer for all rows."""
    fit_toy(encoder, folder, rows=60, epochs=8, learning_rate=1e-2, dropout=0)
    save_tokenizer(encoder, folder)
    return folder


def toy_view(encoder: Path, config=CARD, name="card") -> View:
    """A view under the encoder's tokenizer."""
    return View(name, config, encoder / TOKENIZER_FILE)


def toy_examples(encoder: Path, count, config=CARD, prefix="т", soft=None):
    """Encoded labelled examples."""
    records = toy_records(prefix, count)
    encoded = toy_view(encoder, config).renderer().encode_batch([record.fields for record in records])
    soft = soft or {}
    return [Example(own.windows, soft.get(row.id), row.target) for row, own in zip(records, encoded, strict=True)]


def toy_training(**changes) -> TrainingConfig:
    """Settings with which the toy task is learnt."""
    values = {"epochs": 3, "checkpoint": "last"} if "epochs" not in changes or changes["epochs"] else {}
    values |= {"batch_size": 4, "learning_rate": 3e-3, "precision": "fp32", "save_steps": 4}
    return TrainingConfig.model_validate(values | changes)


def toy_loss(temperature=2.0, alpha=0.5, objective=SINGLE) -> DistillationLoss:
    """A student's loss: gold with weight alpha, and soft cross-entropy."""
    return DistillationLoss((Gold(weight=alpha), SoftCrossEntropy(temperature=temperature)), objective)


def toy_run(loss=None, **changes) -> Run:
    """What `fit` is told besides rows and config."""
    values = {"name": "toy", "labels": LABELS, "loss": loss or toy_loss(1.0, 1.0), "pad_id": 0, "threads": 1}
    return Run(**(values | changes))


def fit_toy(encoder: Path, folder: Path, *, config=CARD, rows=24, run=None, **training):
    """Train the encoder on the toy task and return the model."""
    torch.manual_seed(5)
    model = load_classifier(encoder, LABELS)
    train, valid = toy_examples(encoder, rows, config), toy_examples(encoder, 12, config, "в")
    settings = toy_training(**training)
    alteration = Alteration.of(settings.alter, toy_view(encoder, config).renderer())
    fit(model, train, valid, settings, replace(run or toy_run(), alteration=alteration), folder)
    return model


class Stop(BaseException):
    """Ends a run from inside, as an interrupt does."""


class Watch(Reporter):
    """A reporter that notes what it is told, and ends the run at a step or at the end of training."""

    def __init__(self, stop_at=None, how="raise"):
        self.stop_at, self.how = stop_at, how
        self.total = self.resumed_from = None
        self.steps, self.notes, self.ended = [], [], 0
        self.unit, self.tokens, self.rows = None, 0, 0

    def start(self, name, total, done, at_most, unit="rows"):
        self.total, self.resumed_from, self.unit = total, done, unit
        self._maybe_stop("start")

    def advance(self, done):
        self.steps.append(done)
        self._maybe_stop(done)

    def read(self, tokens, rows=0):
        self.tokens += tokens
        self.rows += rows

    def end(self):
        self.ended += 1
        self._maybe_stop("end")

    def note(self, text):
        self.notes.append(text)

    def _maybe_stop(self, point):
        if self.stop_at != point:
            return
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        self.stop_at = None
        raise Stop


def interrupted(encoder: Path, folder: Path, stop_at, **training) -> Watch:
    """Run `fit_toy` until it is stopped."""
    watch = Watch(stop_at)
    with reporting(watch):
        try:
            fit_toy(encoder, folder, **training)
        except Stop:
            return watch
    raise AssertionError("the run was not stopped")


def same_weights(model, other) -> bool:
    """Whether two models hold the same numbers, bit by bit."""
    mine, theirs = model.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name].cpu(), theirs[name].cpu()) for name in mine)


def random_logits(rows, scale=2.0, seed=0, classes=3):
    """Float32 (rows, classes)."""
    return np.random.default_rng(seed).normal(0, scale, (rows, classes)).astype(np.float32)
