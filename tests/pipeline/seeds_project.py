"""A project that tiny models learn within seconds: a word of the page names the class, another one in each slice."""

from __future__ import annotations

import json
from pathlib import Path

from distill.pipeline.experiment import Experiment
from distill.pipeline.settings import resolve_settings

LABELS = ("мимо", "рядом", "точно")
SIGNS = {"старое": ("ремонт", "аналог", "купить"), "новое": ("чинить", "похож", "заказать")}
THINGS = ("дрель", "пила", "фреза", "лобзик", "рубанок", "ключ", "насос")
ROWS = {"train": 90, "valid": 102, "test": 80, "pool": 40}

PROJECT = """
task: {labels: [мимо, рядом, точно], positive: точно}
data: {slice: slice, keys: [product.id], train: train.jsonl, valid: valid.jsonl, test: {unseen: test.jsonl},
       pool: {urls: {files: pool.jsonl, rows: 30}}}
views: {document: {left: [product.title], right: [page.title, page.body], max_tokens: 24},
        card: {left: [product.title], right: [page.title], max_tokens: 16}}
teachers:
  new: &teacher
    preset: base
    checkpoint: null
    fresh: {layers: 2, width: 16, heads: 2, vocabulary: 150}
    training: {epochs: 8, learning_rate: 1e-2, batch_size: 4, dropout: 0, precision: fp32, head_rate: 1}
    labelling: {precision: fp32}
  old: {<<: *teacher, slices: [старое], weight: 0}
students:
  small:
    preset: 3L
    layers: 1
    training: {epochs: 4, learning_rate: 5e-3, batch_size: 4, dropout: 0, precision: fp32}
export: [onnx]
gates: {retention_card: 0.01, validation_rows: 30}
quality: {replicates: 100}
bench: {requests: 8, processes: 1, warmup: 1, minutes: 0, trained_students: false, int8_teachers: false,
        openvino: false}
threads: 1
"""


def write_project(folder: Path) -> Path:
    """The project's files in `folder`; returns the project file."""
    for split, rows in ROWS.items():
        lines = [json.dumps(_row(split, number), ensure_ascii=False) for number in range(rows)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "project.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


def experiment_of(project: Path, *sets: str) -> Experiment:
    """The experiment of a project file, its run in `run` beside it."""
    return Experiment(resolve_settings(project, project.parent / "run", sets=sets))


def _row(split: str, number: int) -> dict[str, object]:
    index, name = number % 3, list(SIGNS)[number // 3 % 2]
    thing, other = THINGS[number % 7], THINGS[number * 3 % 7]
    row: dict[str, object] = {
        "id": f"{split}-{number}",
        "slice": name,
        "product": {"id": f"{split}-{number}", "title": f"{thing} {split} {number}"},
        "page": {"title": f"{other} {SIGNS[name][index]}", "body": f"{thing} {number}"},
    }
    return row if split == "pool" else {**row, "label": LABELS[index]}
