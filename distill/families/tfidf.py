"""Words alone: a linear model over TF-IDF of word 1- and 2-grams, what any encoder has to be worth its cost against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt

from distill.core.activations import sigmoid
from distill.core.config import Config
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.intake.words import word_tokenizer
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.objective import Objective, objective
from distill.core.objectives.single_label import SINGLE
from distill.core.progress import progress
from distill.core.record_store import training_rows
from distill.core.records import Record
from distill.core.rendering import Renderer
from distill.core.view import TOKENIZER_FILE, View
from distill.evaluation.metrics import FloatArray
from distill.families.family import CONFIG_FILE, DEFAULT, Facts, Family, Lesson, Opening, renderer
from distill.inference.scorer import Logits, Progress, Row, Scorer
from distill.training.joining import learnt_rows

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

_ARRAYS, _TERMS = "arrays.safetensors", "terms.json"
_LEAST = 1e-6  # probability of a class that was never seen
_WORTH = 0.01  # a class of a soft label under this share is left out
# Of a control: terms at most, and weights, of which there is one for each term and class.
_CONTROL_TERMS, _CONTROL_WEIGHTS = 50_000, 2_000_000


class Words:
    """A fitted model: texts to logits.

    Args: model: with the classes that training rows have. classes: C; those without a training row get the least.
        objective: of the task.
    """

    def __init__(self, vectors: TfidfVectorizer, model: Linear, classes: int, objective: Objective) -> None:
        self.vectors, self.model, self.classes, self.objective = vectors, model, classes, objective

    def features(self, texts: Sequence[str]) -> Any:
        """Weights of the known terms, a sparse matrix (N, terms)."""
        return self.vectors.transform(texts)

    def logits(self, features: Any) -> Logits:
        """Logits (N, K) of rows of `features`."""
        chances = np.full((features.shape[0], self.classes), _LEAST)
        chances[:, self.model.classes_] += self.model.predict_proba(features)
        return np.asarray(self.objective.logits(chances), np.float32)


class Alone:
    """Each of some classes by itself, with the attributes of scikit-learn's linear models. Its rows may have several.

    Args: coef_: float64 (R, terms). intercept_: (R,). classes_: (R,), the columns that they are about.
    """

    def __init__(self, coef_: FloatArray, intercept_: FloatArray, classes_: NDArray[np.int64]) -> None:
        self.coef_, self.intercept_, self.classes_ = coef_, intercept_, classes_

    def predict_proba(self, features: Any) -> FloatArray:
        """The probability (N, R) of each."""
        return sigmoid(features @ self.coef_.T + self.intercept_)


Linear: TypeAlias = "LogisticRegression | Alone"


def fit_words(
    texts: Sequence[str], targets: FloatArray, settings: Tfidf.Settings, objective: Objective = SINGLE
) -> Words:
    """Fit vocabulary and linear model.

    A row between classes counts once for each, with its share as weight; where rows have several labels, each label is
    fitted by itself, yes and no.

    Args: targets: float (N, C): one-hot, votes or soft labels.
    Raises: ValueError for texts without any word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(ngram_range=(1, settings.ngrams), max_features=settings.max_features)
    features = vectors.fit_transform(texts)
    fitted = _each_alone if objective.several else _among_classes
    return Words(vectors, fitted(features, targets, settings), targets.shape[1], objective)


def _among_classes(features: Any, targets: FloatArray, settings: Tfidf.Settings) -> Linear:
    """One distribution over the classes that rows have; of a single class the same answer for every row."""
    from sklearn.linear_model import LogisticRegression

    rows, classes = np.nonzero(targets > _WORTH)
    known = np.unique(classes)
    if len(known) == 1:
        return Alone(np.zeros((1, features.shape[1])), -np.log([_LEAST]), known)
    model = LogisticRegression(C=settings.inverse_penalty, max_iter=500)
    certain = (targets.max(axis=1) == 1).all()
    if certain:
        model.fit(features, targets.argmax(axis=1))
    else:
        model.fit(features[rows], classes, sample_weight=targets[rows, classes])
    return model


def _each_alone(features: Any, targets: FloatArray, settings: Tfidf.Settings) -> Linear:
    """Every label's yes or no by itself; a label that all rows have, or none, needs no term."""
    weights, intercepts = np.zeros((targets.shape[1], features.shape[1])), np.zeros(targets.shape[1])
    for label, shares in enumerate(targets.T):
        if shares.max() <= _WORTH or shares.min() >= 1 - _WORTH:
            intercepts[label] = MultiLabel().logits(shares.mean(), _LEAST)
        else:
            model = _among_classes(features, np.stack([1 - shares, shares], axis=1), settings)
            weights[label], intercepts[label] = model.coef_[0], model.intercept_[0]
    return Alone(weights, intercepts, np.arange(len(intercepts)))


@dataclass(frozen=True)
class Terms:
    """A record as its row of a sparse matrix of terms. Its tokens are words and signs, none of them cut."""

    features: Any
    index: int
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
        features = self._words.features(_texts(self._renderer, rows))
        return [Terms(features, index, row, self._renderer) for index, row in enumerate(rows)]

    def answer(self, prepared: Sequence[Terms], on_progress: Progress | None = None) -> Logits:
        """Logits (N, K)."""
        together = [list(some) for _, some in groupby(prepared, key=lambda item: id(item.features))]
        return np.concatenate(
            [self._words.logits(some[0].features[[item.index for item in some]]) for some in together]
        )


class Tfidf(Family):
    """scikit-learn's TF-IDF and logistic regression, stored as arrays and JSON."""

    name = "tfidf"
    runtime = "scikit-learn"
    precision = "fp64"

    class Settings(Config):
        """The keys of its own that an entry may have."""

        ngrams: PositiveInt = Field(2, description="longest run of words that counts as a term")
        max_features: PositiveInt | None = Field(None, description="most terms, the most frequent ones; null: all")
        inverse_penalty: PositiveFloat = Field(1.0, description="C of the logistic regression: larger fits closer")

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
        records, targets = _examples(lesson)
        texts = _texts(view.renderer(), [record.fields for record in records])
        try:
            with progress(lesson.title, len(records)) as advance:
                words = fit_words(texts, targets, config, lesson.space.objective)
                advance(len(records))
        except ValueError as error:
            do = "give the view fields with words, or leave the model out (the control: controls.tfidf: false)"
            raise UserError("cannot fit words", where=f"views.{lesson.view}", found=error, do=do) from None
        save_words(words, lesson.space, folder)

    def open(self, folder: Path, how: Opening = DEFAULT) -> Scorer:
        """The model behind its view."""
        return WordScorer(load_words(folder), renderer(folder, how))

    def facts(self, folder: Path) -> Facts:
        """No layers; one weight for each term and class."""
        return Facts(None, int(read_json(folder / CONFIG_FILE)["distill"]["parameters"]))


def save_words(words: Words, space: LabelSpace, folder: Path) -> None:
    """Write terms, weights and settings into `folder`."""
    from safetensors.numpy import save_file

    model, vectors = words.model, words.vectors
    arrays = {
        "idf": np.ascontiguousarray(vectors.idf_),
        "weights": np.ascontiguousarray(model.coef_),
        "intercepts": np.ascontiguousarray(model.intercept_),
        "classes": np.ascontiguousarray(model.classes_),
    }
    save_file(arrays, folder / _ARRAYS)
    write_json(folder / _TERMS, list(vectors.get_feature_names_out()))
    own = {
        "kind": space.objective.name,
        "ngrams": vectors.ngram_range[1],
        "parameters": int(model.coef_.size + model.intercept_.size),
    }
    write_json(folder / CONFIG_FILE, {"distill": own, "id2label": dict(enumerate(space.labels))})


def load_words(folder: Path) -> Words:
    """What `save_words` wrote. Raises: UserError when a file is missing or damaged."""
    from safetensors.numpy import load_file
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    stored, terms = read_json(folder / CONFIG_FILE), read_json(folder / _TERMS)
    try:
        arrays = load_file(folder / _ARRAYS)
    except Exception as error:  # safetensors' own error and the system's share no base but Exception
        raise UserError("damaged safetensors file", where=str(folder / _ARRAYS), found=error) from None
    vectors = TfidfVectorizer(ngram_range=(1, stored["distill"]["ngrams"]), vocabulary=terms)
    vectors.idf_ = arrays["idf"]
    classes = len(stored["id2label"])
    kind = objective(stored["distill"].get("kind", SINGLE.name), classes, str(folder / CONFIG_FILE))
    parts = arrays["weights"], arrays["intercepts"], arrays["classes"]
    if kind.several or len(arrays["classes"]) == 1:
        return Words(vectors, Alone(*parts), classes, kind)
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = parts
    return Words(vectors, model, classes, kind)


def _examples(lesson: Lesson) -> tuple[list[Record], FloatArray]:
    """Records and targets (N, C): soft labels where a record has them, else gold."""
    if not lesson.labels:
        records = training_rows(lesson.records, lesson.slices)
        return records, np.stack([record.target for record in records if record.target is not None]).astype(np.float64)
    rows, soft = learnt_rows(
        lesson.records,
        lesson.labels,
        lesson.space,
        names=lesson.splits,
        selection=lesson.selection,
        allow_missing=lesson.allow_missing,
    )
    records = [record for _, record in rows]
    chances = {name: lesson.space.objective.probabilities(logits[None])[0] for name, logits in soft.items()}
    targets = [chances[record.id] if record.id in chances else record.target for record in records]
    return records, np.array(targets, np.float64)


def _texts(renderer: Renderer, rows: Sequence[Row]) -> list[str]:
    """The rendered sides of each record as one text."""
    return [" ".join(side for side in renderer.text(row) if side) for row in rows]
