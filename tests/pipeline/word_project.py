"""A run of two models of words and no encoder: seconds, for what is measured about finished models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distill.api import run
from tests.cli.planted_project import shuffle_labels
from tests.cli.planted_project import write_project as write_planted

PROJECT = """
task: {labels: [мимо, рядом, точно], positive: точно}
data: {train: train.jsonl, valid: valid.jsonl, test: {unseen: test.jsonl}, pool: {urls: pool.jsonl}}
views: {document: {left: [product.title], right: [page.title, page.body], max_tokens: 24},
        card: {left: [product.title], right: [page.title], max_tokens: 16},
        titles: {left: [page.title], max_tokens: 16}}
teachers: {words: {preset: words}, cards: {preset: words, view: card, weight: 0}}
students: {}
export: []
controls: {card_teacher: false, tfidf: false}
quality: {replicates: 100, calibrate: false}
gates: {teacher_over_priors: null}
threads: 1
"""


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(project file, run folder, its report) of a run up to its figures; copy the folder before another start."""
    folder = tmp_path_factory.mktemp("words")
    project = write_project(folder / "project")
    return project, folder / "run", run(project, folder / "run", until="evaluate")


def write_project(folder: Path) -> Path:
    """The project's files in `folder`, a third of the labels dealt out at random; returns the project file."""
    path = write_planted(folder, {"train": 90, "valid": 60, "test": 120, "pool": 20})
    shuffle_labels(folder, ("train", "valid", "test"), share=0.4)
    path.write_text(PROJECT, encoding="utf-8")
    return path
