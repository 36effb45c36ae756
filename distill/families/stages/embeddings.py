"""Embeddings: a text belongs to the class whose keywords mean the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from distill.core.activations import softmax
from distill.core.project import ViewConfig
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import Lesson, Opening
from distill.families.stages.stage import Answers, Classes, Stage, StageSettings, unnamed
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Row


class Embeddings(Stage):
    """p = softmax(cos(x, k_c) / T): x the mean of the encoder's states over the text's tokens, k_c the weighted mean of
    the same of the class's keywords, each of length 1.

    Source: mean pooling of Reimers & Gurevych 2019, arXiv:1908.10084, section 3.
    """

    name = "embeddings"

    class Settings(StageSettings):
        """The keys of this stage."""

        model: str | None = Field(None, description="encoder: folder, hub id, or base for the embedded one")
        temperature: PositiveFloat = Field(0.05, description="T, by which cosines are divided")
        max_tokens: PositiveInt = Field(256, ge=4, le=8192, description="tokens that are read of a text")

    def __init__(self, settings: Any, classes: Classes, folder: Path, how: Opening) -> None:
        from distill.inference.vector_runner import VectorRunner

        super().__init__(settings, classes, folder, how)
        runner = VectorRunner(folder, threads=how.threads, device=how.device)
        view = ViewConfig(left=["text"], max_tokens=min(settings.max_tokens, runner.limit or settings.max_tokens))
        renderer = View("text", view, folder / TOKENIZER_FILE).renderer()
        self._vectors = RunnerScorer(runner, renderer, batch_tokens=how.batch_tokens)
        self._classes = np.stack([self._mean(words) for words in classes.words.values()])

    @classmethod
    def place(cls, settings: Any) -> str | None:
        """Its encoder."""
        return None if settings.model is None else str(settings.model)

    @classmethod
    def keep(cls, settings: Any, lesson: Lesson, source: Path | None, folder: Path) -> None:
        """The encoder's weights and tokenizer. Raises: UserError when it is no safe encoder."""
        keep_model(source or _no_model(), folder)

    def ask(self, rows: Sequence[Row], texts: Sequence[str]) -> Answers:
        """The classes by cosine."""
        return Answers(softmax(self._of(texts) @ self._classes.T / self.settings.temperature))

    def _of(self, texts: Sequence[str]) -> Any:
        return _unit(self._vectors.score([{"text": text} for text in texts]).logits.astype(np.float64))

    def _mean(self, words: Any) -> Any:
        return _unit(np.average(self._of(list(words)), axis=0, weights=list(words.values())))


def keep_model(source: Path, folder: Path) -> None:
    """Copy a model's config, weights and tokenizer. Raises: UserError when it is not complete or not safe to load."""
    from distill.models import pretrained

    pretrained.require_safe(source)
    for path in (source / "config.json", *source.glob("*.safetensors"), *source.glob("*.safetensors.index.json")):
        shutil.copyfile(path, folder / path.name)
    pretrained.save_tokenizer(source, folder)


def _no_model() -> Path:
    raise unnamed("stages: embeddings.model", "model", "an encoder (a folder, a hub id, or base)")


def _unit(vectors: Any) -> Any:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
