"""Words alone: a classical model over TF-IDF of word 1- and 2-grams, what any encoder has to be worth its cost for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.intake.words import word_tokenizer
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import progress
from distill.core.rendering import Renderer
from distill.core.view import TOKENIZER_FILE, View
from distill.evaluation.metrics import FloatArray
from distill.families.classical import (
    ClassicalSettings,
    TermWeights,
    fit_model,
    learnt_targets,
    load_model,
    model_logits,
    save_model,
    text_of,
)
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, learnt_rows, renderer
from distill.inference.scorer import Logits, Progress, Row, Scorer
from distill.models.classical.base import Fitted

# Of a control: terms at most, and weights, of which there is one for each term and class.
_CONTROL_TERMS, _CONTROL_WEIGHTS = 50_000, 2_000_000


class Words:
    """A fitted model: texts to logits.

    Args: model: with the classes that training rows have. classes: C; those without a training row get the least
        probability. objective: of the task.
    """

    def __init__(self, terms: TermWeights, model: Fitted, classes: int, objective: Objective) -> None:
        self.terms, self.model, self.classes, self.objective = terms, model, classes, objective

    def features(self, texts: Sequence[str]) -> Any:
        """What the model reads of texts, as of `TermWeights`."""
        return self.terms.of(texts)

    def logits(self, features: Any) -> Logits:
        """Logits (N, K) of rows of `features`."""
        return model_logits(self.model, features, self.classes, self.objective)


def fit_words(
    texts: Iterable[str],
    targets: FloatArray,
    settings: ClassicalSettings,
    objective: Objective = SINGLE,
    seed: int = 1,
) -> Words:
    """Fit vocabulary and model.

    A row between classes counts once for each, with its share as weight; where rows have several labels, each label is
    fitted by itself, yes and no.

    Args: targets: float (N, C): one-hot, votes or soft labels. seed: of what the model draws.
    Raises: ValueError for texts without any word.
    """
    terms, features = TermWeights.fit(texts, settings, seed)
    return Words(terms, fit_model(features, targets, settings, objective, seed), targets.shape[1], objective)


@dataclass(frozen=True)
class Terms:
    """A record as its row of a sparse matrix of terms. Its tokens are words and signs, none of them cut."""

    features: Any
    index: int
    text: str
    row: Row
    renderer: Renderer
    cut_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Words and signs, counted when asked for: no answer needs them."""
        return self.renderer.encode(self.row).tokens

    @property
    def read_tokens(self) -> int:
        """All of them."""
        return self.tokens


class WordScorer(Scorer):
    """Words behind a view's renderer: the rendered sides are read whole, whatever the view's `max_tokens`."""

    def __init__(self, words: Words, renderer: Renderer) -> None:
        self._words, self._renderer = words, renderer

    def prepare(self, rows: Sequence[Row]) -> list[Terms]:
        """Records as weights of their terms."""
        texts = [text_of(self._renderer, row) for row in rows]
        features, both = self._words.features(texts), zip(texts, rows, strict=True)
        return [Terms(features, index, text, row, self._renderer) for index, (text, row) in enumerate(both)]

    def answer(self, prepared: Sequence[Terms], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K)."""
        together = [list(some) for _, some in groupby(prepared, key=lambda item: id(item.features))]
        return np.concatenate(
            [self._words.logits(some[0].features[[item.index for item in some]]) for some in together]
        )

    def keys(self, prepared: Sequence[Terms]) -> list[Hashable]:
        """The texts."""
        return [item.text for item in prepared]


class Tfidf(Family):
    """scikit-learn's TF-IDF and a classical model, stored as arrays and JSON."""

    name = "tfidf"
    reads_view = True
    runtime = "scikit-learn"
    precision = "fp64"

    class Settings(ClassicalSettings):
        """No further keys of its own."""

    def control(self, classes: int) -> dict[str, Any]:
        """The most frequent terms, so many that thousands of rows take seconds: one weight for each term and class."""
        return {"max_features": min(_CONTROL_TERMS, _CONTROL_WEIGHTS // classes)}

    def fit(self, config: Any, lesson: Lesson, folder: Path) -> None:
        """Fit on gold, and on soft labels where the lesson has some.

        Raises: UserError without usable soft labels, and for texts without any word.
        """
        word_tokenizer().save(str(folder / TOKENIZER_FILE))
        view = View(lesson.view, lesson.view_config, folder / TOKENIZER_FILE)
        view.save(folder)
        learnt, render, objective = learnt_rows(lesson, folder), view.renderer(), lesson.space.objective
        texts = (text_of(render, record.fields) for record in learnt.records(lesson.records))
        try:
            with progress(lesson.title, len(learnt)) as advance:
                words = fit_words(texts, learnt_targets(learnt, objective), config, objective, lesson.seed)
                advance(len(learnt))
        except ValueError as error:
            do = "give the view fields with words, or leave the model out (the control: controls.tfidf: false)"
            raise UserError("cannot fit words", where=f"views.{lesson.view}", found=error, do=do) from None
        save_words(words, lesson.space, folder, config.model)

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The model behind its view."""
        return WordScorer(load_words(folder), renderer(folder, how))

    def facts(self, folder: Path) -> Facts:
        """No layers; one weight for each term and class."""
        return Facts(None, int(read_json(folder / CONFIG_FILE)["distill"]["parameters"]))


def save_words(words: Words, space: LabelSpace, folder: Path, model: str = "logistic") -> None:
    """Write terms, weights and settings into `folder`. Args: model: the kind."""
    words.terms.save_terms(folder)
    own = {"ngrams": words.terms.vectors.ngram_range[1], "model": model}
    save_model(words.model, space, folder, words.terms.arrays, own)


def load_words(folder: Path) -> Words:
    """What `save_words` wrote. Raises: UserError when a file is missing or damaged."""
    model, arrays, kind = load_model(folder)
    stored = read_json(folder / CONFIG_FILE)
    terms = TermWeights.restored(folder, arrays, stored["distill"]["ngrams"])
    return Words(terms, model, len(stored["id2label"]), kind)
