"""What the families of classical models share: weights of terms, the model over features, and how both are kept.

Shapes: N rows, F features, C classes, K logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from distill.core.config import Config
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import Objective, objective
from distill.core.objectives.single_label import SINGLE
from distill.core.rendering import Renderer
from distill.evaluation.metrics import FloatArray
from distill.families.family import CONFIG_FILE
from distill.inference.scorer import Logits, Row
from distill.models.classical.base import Arrays, Examples, Fitted, classical_model, require_known
from distill.models.classical.linear import LEAST, Alone, Linear, only_class
from distill.training.learnt_rows import LearntRows

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

ARRAYS, TERMS = "arrays.safetensors", "terms.json"
_NOT_LEARNT = ("idf", "classes", "directions", "roots", "scores", "mean", "deviation")  # of the arrays, no parameters
_COMPONENTS = 128  # of a model that reads no sparse matrix


class ClassicalSettings(Config):
    """The keys of TF-IDF and of the model that reads it."""

    ngrams: PositiveInt = Field(2, description="longest run of words that counts as a term")
    max_features: PositiveInt | None = Field(None, description="most terms, the most frequent ones; null: all")
    model: Annotated[str, AfterValidator(require_known)] = Field(
        "logistic", description="what reads the features: logistic, svm, boosting, or module:Class of your own"
    )
    inverse_penalty: PositiveFloat = Field(1.0, description="C of logistic and svm: larger fits closer")
    trees: PositiveInt = Field(100, description="rounds of boosting")
    components: PositiveInt | None = Field(
        None, description="main directions that TF-IDF is turned to first; null: none, of boosting 128"
    )


class TermWeights:
    """Texts as weights of their terms.

    Args: vectors: fitted. directions: float64 (components, terms) that the weights are turned to; None: none.
    """

    def __init__(self, vectors: TfidfVectorizer, directions: FloatArray | None = None) -> None:
        self.vectors, self.directions = vectors, directions

    @classmethod
    def fit(cls, texts: Iterable[str], settings: ClassicalSettings, seed: int) -> tuple[TermWeights, Any]:
        """The weights, and those of the texts. Raises: ValueError for texts without any word."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectors = TfidfVectorizer(ngram_range=(1, settings.ngrams), max_features=settings.max_features)
        weights = vectors.fit_transform(texts)
        found = cls(vectors, _main_directions(weights, settings, seed))
        return found, found._turned(weights)

    @classmethod
    def restored(cls, folder: Path, arrays: Arrays, ngrams: int) -> TermWeights:
        """What `arrays` and `save_terms` kept. Raises: UserError without the terms."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectors = TfidfVectorizer(ngram_range=(1, ngrams), vocabulary=read_json(folder / TERMS))
        vectors.idf_ = arrays["idf"]
        return cls(vectors, arrays.get("directions"))

    def of(self, texts: Sequence[str]) -> Any:
        """Weights of the known terms, a sparse matrix (N, terms), or their components, a dense one (N, components)."""
        return self._turned(self.vectors.transform(texts))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is kept of them beside the terms."""
        return {"idf": self.vectors.idf_} | ({} if self.directions is None else {"directions": self.directions})

    def save_terms(self, folder: Path) -> None:
        """Write the terms into `folder`."""
        write_json(folder / TERMS, list(self.vectors.get_feature_names_out()))

    def _turned(self, weights: Any) -> Any:
        return weights if self.directions is None else weights @ self.directions.T


def _main_directions(weights: Any, settings: ClassicalSettings, seed: int) -> FloatArray | None:
    """The main directions (components, terms) of weights of terms (N, terms), by a truncated singular value
    decomposition; None where the model reads the weights as they are.

    Source: Deerwester et al. 1990, "Indexing by Latent Semantic Analysis".
    """
    from sklearn.decomposition import TruncatedSVD

    wanted = settings.components or (_COMPONENTS if classical_model(settings.model).dense else None)
    if wanted is None:
        return None
    found = TruncatedSVD(min(wanted, weights.shape[1]), random_state=seed).fit(weights)
    return np.asarray(found.components_, np.float64)


def fit_model(
    features: Any, targets: FloatArray, settings: ClassicalSettings, objective: Objective, seed: int
) -> Fitted:
    """The entry's kind of model on features (N, F) and targets (N, C). Raises: UserError as the model."""
    model = classical_model(settings.model)(settings, seed)
    if objective.several:
        return model.each(features, targets)
    examples = Examples.of(features, targets)
    return only_class(features, examples.known) if len(examples.known) == 1 else model.among(examples)


def model_logits(model: Fitted, features: Any, classes: int, objective: Objective) -> Logits:
    """Logits (N, K) of features (N, F). Args: classes: C; those without a training row get the least probability."""
    chances = np.full((features.shape[0], classes), LEAST)
    chances[:, model.classes_] += model.predict_proba(features)
    return np.asarray(objective.logits(chances), np.float32)


def save_model(model: Fitted, space: LabelSpace, folder: Path, more: Arrays, own: Mapping[str, Any]) -> None:
    """Write a model into `folder`, beside what its config.json says already.

    Args: more: arrays of its features. own: what config.json has to say of them, and `model`, the kind.
    """
    from safetensors.numpy import save_file

    kept = Linear.arrays(model) if isinstance(model, Alone) else classical_model(own["model"]).arrays(model)
    arrays = {**more, **kept}
    save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, folder / ARRAYS)
    size = sum(int(values.size) for name, values in arrays.items() if name not in _NOT_LEARNT)
    stored = read_json(folder / CONFIG_FILE) if (folder / CONFIG_FILE).exists() else {}
    signed = {"kind": space.objective.name, **own, "parameters": size}
    write_json(folder / CONFIG_FILE, {**stored, "distill": signed, "id2label": dict(enumerate(space.labels))})


def load_model(folder: Path) -> tuple[Fitted, Arrays, Objective]:
    """What `save_model` wrote: the model, all arrays, and the objective of its task.

    Raises: UserError when a file is missing or damaged.
    """
    from safetensors.numpy import load_file

    stored = read_json(folder / CONFIG_FILE)
    try:
        arrays = load_file(folder / ARRAYS)
    except Exception as error:  # safetensors' own error and the system's share no base but Exception
        raise UserError("damaged safetensors file", where=str(folder / ARRAYS), found=error) from None
    own = stored["distill"]
    kind = objective(own.get("kind", SINGLE.name), len(stored["id2label"]), str(folder / CONFIG_FILE))
    if "roots" not in arrays and len(arrays["classes"]) == 1 and not kind.several:
        return Alone(arrays["weights"], arrays["intercepts"], arrays["classes"]), arrays, kind
    model = classical_model(own.get("model", "logistic"), str(folder / CONFIG_FILE))
    return model.restored(arrays, several=kind.several), arrays, kind


def learnt_targets(learnt: LearntRows, objective: Objective) -> FloatArray:
    """Targets (N, C): soft labels where a row has them, else gold."""
    if learnt.soft is None:
        return learnt.target[learnt.rows].astype(np.float64)
    labelled, has_gold = learnt.soft.labelled[learnt.rows], learnt.has_gold[learnt.rows]
    chances = objective.probabilities(learnt.soft.logits[learnt.rows[labelled]])
    targets = np.zeros((len(learnt), chances.shape[1]))
    if has_gold.any():
        targets[has_gold] = learnt.target[learnt.rows[has_gold]]
    targets[labelled] = chances
    return targets


def text_of(renderer: Renderer, row: Row) -> str:
    """The rendered sides of a record as one text."""
    return " ".join(side for side in renderer.text(row) if side)
