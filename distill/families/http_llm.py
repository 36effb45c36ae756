"""A language model behind an OpenAI-compatible server as a teacher: nothing is fitted, each record is asked about."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.config import parse
from distill.core.files import read_json, write_json
from distill.core.intake.words import word_tokenizer
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import Objective, objective
from distill.core.record_store import iter_records, sample_records
from distill.core.rendering import Renderer, swapped
from distill.core.run_folder import entry_now
from distill.core.view import TOKENIZER_FILE, View, renderer_with
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, renderer
from distill.inference.language_model.config import STAND_IN, Asking, LanguageModelSettings, problems
from distill.inference.language_model.language_model import Expected, LanguageModel
from distill.inference.language_model.prompt import Shown
from distill.inference.language_model.server import key_of
from distill.inference.language_model.shown import ShownText, shown_texts
from distill.inference.scorer import Logits, Progress, Row, Scorer

_MOST_ROWS = 20_000  # of the training rows, from which examples are drawn
_IDENTITY = [name for name in LanguageModelSettings.model_fields if name not in Asking.model_fields]


class AskedScorer(Scorer):
    """A language model behind a view's renderer. A record without an answer has NaN logits."""

    def __init__(self, model: LanguageModel, objective: Objective, renderer: Renderer, most_failed: float) -> None:
        self._model, self._objective, self._renderer = model, objective, renderer
        self.most_failed = most_failed

    def prepare(self, rows: Sequence[Row]) -> list[ShownText]:
        """Records as the texts of their view."""
        return shown_texts(self._renderer, rows)

    def answer(self, prepared: Sequence[ShownText], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K). Raises: as `LanguageModel.answer`."""
        found = self._model.answer([item.text for item in prepared], on_progress).probabilities
        answered = np.isfinite(found).all(axis=1, keepdims=True)
        known = np.asarray(self._objective.logits(np.where(answered, found, 1 / found.shape[1])), np.float32)
        return np.where(answered, known, np.float32(np.nan))


class HttpLlm(Family):
    """`url` and `model` in a teacher's entry; its folder holds the prompt, not the model."""

    name = runtime = "http_llm"
    learns = False
    remote = True
    reads_view = True

    class Settings(LanguageModelSettings):
        """No keys besides those of a language model."""

    def asks(self, config: Any, labelled: Sequence[str]) -> list[str]:
        """Training rows, where examples are drawn from them."""
        return ["train"] if isinstance(config.examples, int) and config.examples else []

    def problems(self, config: Any, space: LabelSpace) -> Iterator[str]:
        """Labels and words that the task has not, or that cannot be told apart."""
        return problems(config, space.labels, space.objective.several)

    def for_timing(self, config: Any) -> dict[str, Any]:
        """Answers are drawn, and none is too many to fail."""
        return {"url": STAND_IN, "key_from": None}

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Write down what is asked, with the examples drawn from training rows. Raises: UserError without the key."""
        key_of(config, f"teachers.{folder.name.removesuffix('.partial')}")
        word_tokenizer().save(str(folder / TOKENIZER_FILE))
        view = View(lesson.view, lesson.view_config, folder / TOKENIZER_FILE)
        view.save(folder)
        own = {
            "kind": lesson.space.objective.name,
            "language_model": {name: config.as_json()[name] for name in _IDENTITY},
            "shown": [one.as_json() for one in shown_examples(config, lesson, view.renderer())],
            # As seen from the folder, so that a run can be moved.
            **({"answers": os.path.relpath(lesson.answers, folder)} if lesson.answers else {}),
        }
        write_json(folder / CONFIG_FILE, {"distill": own, "id2label": dict(enumerate(lesson.space.labels))})

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The model behind its view, asked in the way that the project says now: parallel, patience, limit."""
        stored = read_json(folder / CONFIG_FILE)
        own, labels = stored["distill"], list(stored["id2label"].values())
        settings = asked_as_now(own["language_model"], entry_now(folder), str(folder / CONFIG_FILE))
        answers = folder / own["answers"] if "answers" in own else None
        shown = [Shown(*one) for one in own["shown"]]
        model = LanguageModel(settings, labels, shown, answers, f"teachers.{folder.name}")
        kind = objective(own["kind"], len(labels), str(folder / CONFIG_FILE))
        return AskedScorer(model, kind, renderer(folder, how), settings.max_failed)

    def facts(self, folder: Path) -> Facts:
        """Of a model behind a server nobody knows the size."""
        return Facts(None, None)

    def outlay(self, config: Any, lesson: Lesson, splits: Sequence[str]) -> str | None:
        """Requests and their cost, without asking."""
        found = expected(config, lesson, splits)
        limit = config.spend.limit
        spend = f", about {found.cost:.4g}" + (f" of at most {limit:g}" if limit is not None else "")
        apart = f" ({found.answered:,} answered before, {found.repeated:,} repeated)"
        tokens = f", about {found.input_tokens:,.0f} tokens"
        return f"{found.requests:,} requests{apart if found.answered or found.repeated else ''}{tokens}{spend}"


def shown_examples(config: LanguageModelSettings, lesson: Lesson, render: Renderer) -> list[Shown]:
    """The examples of the prompt: those that are given, or training rows, drawn by the seed from all classes in turn.

    No other row is read. A row between classes counts for the one with most votes.
    """
    space = lesson.space
    if isinstance(config.examples, list):
        return [Shown(one.record, space.labels.index(one.label)) for one in config.examples]
    if not config.examples:
        return []
    by_class = defaultdict[int, list[Shown]](list)
    rows = sample_records(lesson.records, "train", _MOST_ROWS, config.seed)
    random.Random(config.seed).shuffle(rows)
    swap = lesson.view_config.swap
    for row in rows:
        # Rows are rendered only as far as some are still wanted.
        label = space.objective.gold_classes(row.target)[0] if row.target is not None else None
        if label is None or len(by_class[label]) >= config.examples:
            continue
        orders = [row.fields, swapped(row.fields, swap.fields)] if swap else [row.fields]
        text, *exchanged = (one.text.whole for one in shown_texts(render, orders))
        if text:
            by_class[label].append(Shown(text, label, *exchanged))
    turns = [
        by_class[label][turn] for turn in range(config.examples) for label in by_class if turn < len(by_class[label])
    ]
    return turns[: config.examples]


def expected(config: LanguageModelSettings, lesson: Lesson, splits: Sequence[str]) -> Expected:
    """What asking about all rows of some splits would take, from their texts and the answers that there are."""
    render = renderer_with(lesson.view, lesson.view_config.as_json(), word_tokenizer())
    answers = lesson.answers if lesson.answers and lesson.answers.exists() else None
    model = LanguageModel(config, lesson.space.labels, shown_examples(config, lesson, render), answers)
    rows = (row.fields for split in splits for row in iter_records(lesson.records, split))
    if (swap := lesson.view_config.swap) is not None and swap.average:
        rows = (one for row in rows for one in (row, swapped(row, swap.fields)))
    return model.expected(shown_texts(render, [row])[0].text for row in rows)


def asked_as_now(stored: Mapping[str, Any], now: Mapping[str, Any], where: str) -> LanguageModelSettings:
    """What is asked, as it is stored, in the way that the project says now.

    Args: stored: without the keys of `Asking`; a plan that is only timed stores a url that no user may write.
    """
    way = {name: now[name] for name in Asking.model_fields if name in now}
    if stored["url"] != STAND_IN:
        return parse(LanguageModelSettings, {**stored, **way}, where)
    return parse(LanguageModelSettings, {**stored, "url": "http://stand.in"}, where).model_copy(
        update={"url": STAND_IN}
    )
