"""Zero-shot classification: does the text entail that it is about the class?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, PositiveInt, field_validator

from distill.core.activations import softmax
from distill.core.errors import UserError
from distill.core.project import ViewConfig
from distill.core.view import TOKENIZER_FILE, View
from distill.families.family import Lesson, Opening
from distill.families.stages.embeddings import keep_model
from distill.families.stages.stage import Answers, Classes, Stage, StageSettings, unnamed
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Row

_HERE = "stages: zero_shot.model"


class ZeroShot(Stage):
    """p = softmax over classes of the logit of *entailment* between the text and a sentence that names the class.

    Source: Yin, Hay & Roth 2019, "Benchmarking Zero-shot Text Classification", arXiv:1909.00161, section 5.
    """

    name = "zero_shot"

    class Settings(StageSettings):
        """The keys of this stage."""

        model: str | None = Field(None, description="classifier of natural language inference: folder or hub id")
        hypothesis: str = Field("This text is about {}.", description="the sentence; {} is the class's name")
        max_tokens: PositiveInt = Field(256, ge=8, le=8192, description="tokens of text and sentence together")

        @field_validator("hypothesis")
        @classmethod
        def _names_the_class(cls, value: str) -> str:
            if value.count("{}") != 1:
                raise ValueError("{} must stand once for the class's name")
            return value

    def __init__(self, settings: Any, classes: Classes, folder: Path, how: Opening) -> None:
        from distill.inference.torch_runner import TorchRunner

        super().__init__(settings, classes, folder, how)
        self._column = entailment(folder)
        runner = TorchRunner(folder, threads=how.threads, device=how.device)
        most = min(settings.max_tokens, runner.limit or settings.max_tokens)
        view = ViewConfig(left=["text"], right=["hypothesis"], max_tokens=most)
        renderer = View("premise", view, folder / TOKENIZER_FILE).renderer()
        self._scorer = RunnerScorer(runner, renderer, batch_tokens=how.batch_tokens)
        self._sentences = [settings.hypothesis.replace("{}", name) for name in classes.names.values()]

    @classmethod
    def place(cls, settings: Any) -> str | None:
        """Its classifier."""
        return None if settings.model is None else str(settings.model)

    @classmethod
    def keep(cls, settings: Any, lesson: Lesson, source: Path | None, folder: Path) -> None:
        """The classifier. Raises: UserError when it is not safe, or no class of it is entailment."""
        if source is None:
            raise unnamed(_HERE, "model", "a classifier of natural language inference (a folder or hub id)")
        keep_model(source, folder)
        entailment(folder)

    def ask(self, rows: Sequence[Row], texts: Sequence[str]) -> Answers:
        """The classes by entailment: as many passes as there are classes."""
        pairs = [{"text": text, "hypothesis": sentence} for text in texts for sentence in self._sentences]
        found = self._scorer.score(pairs).logits[:, self._column]
        return Answers(softmax(found.reshape(len(texts), len(self._sentences))))


def entailment(folder: Path) -> int:
    """Which output of a classifier is entailment. Raises: UserError when none is."""
    from distill.models.encoder_config import stored_labels

    labels = stored_labels(folder) or []
    found = [number for number, label in enumerate(labels) if label.lower().startswith("entail")]
    if len(found) != 1:
        do = "name a classifier with the class entailment among its id2label"
        raise UserError("no model of natural language inference", where=_HERE, found=", ".join(labels), do=do)
    return found[0]
