"""What every model over a matrix of features offers, and how one is found.

Shapes: N rows, F features, C classes of the task, R ≤ C classes that training rows have.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from distill.core.siblings import class_at, sibling, siblings
from distill.evaluation.metrics import FloatArray
from distill.models import classical

WORTH = 0.01  # a class of a soft label under this share is left out
Arrays = Mapping[str, NDArray[Any]]


class Fitted(Protocol):
    """A fitted model. Attributes: classes_: int64 (R,), the classes that it knows, as columns of the task's."""

    classes_: NDArray[np.int64]

    def predict_proba(self, features: Any) -> FloatArray:
        """Probabilities (N, R) of features (N, F)."""


@dataclass(frozen=True)
class Examples:
    """Rows as scikit-learn takes them: one that is between classes counts once for each, with its share as weight.

    Attributes: features: (E, F). classes: int (E,). shares: (E,); None: all of them 1. rows: int (E,), where each comes
        from. known: the classes among them, rising.
    """

    features: Any
    classes: NDArray[np.int64]
    shares: FloatArray | None
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, features: Any, targets: FloatArray) -> Examples:
        """Args: features: (N, F). targets: (N, C), one-hot, votes or soft labels, of which little ones are left out."""
        rows, classes = np.nonzero(targets > WORTH)
        if (targets.max(axis=1) == 1).all():
            return cls(features, targets.argmax(axis=1), None, np.arange(len(targets)))
        return cls(features[rows], classes, targets[rows, classes], rows)

    @property
    def known(self) -> NDArray[np.int64]:
        """The classes that rows have."""
        return np.unique(self.classes)


class Options(Protocol):
    """What an entry says of such models, each of which reads what is its own."""

    @property
    def inverse_penalty(self) -> float:
        """C of linear models: larger fits closer."""

    @property
    def trees(self) -> int:
        """Rounds of boosting."""


class Classical(ABC):
    """One kind of model.

    Args: options: of the entry. seed: of folds and draws.
    Attributes: name: in an entry's `model:`; a user's own is `module:Class`. dense: whether it reads no sparse matrix.
    """

    name: ClassVar[str]
    dense: ClassVar[bool] = False

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed

    @abstractmethod
    def among(self, examples: Examples) -> Fitted:
        """One distribution over two classes or more. Raises: UserError where they cannot be fitted."""

    @abstractmethod
    def each(self, features: Any, targets: FloatArray) -> Fitted:
        """Every one of C labels by itself, yes and no, for rows with several. Args: targets: (N, C)."""

    @staticmethod
    @abstractmethod
    def arrays(fitted: Any) -> Arrays:
        """What such a fitted model is kept as."""

    @staticmethod
    @abstractmethod
    def restored(arrays: Arrays, *, several: bool) -> Fitted:
        """The fitted model that `arrays` are of. Args: several: whether rows have several labels."""


def classical_model(name: str, where: str | None = None) -> type[Classical]:
    """The kind of model of this name, or the user's own as `module:Class`. Raises: UserError as `sibling`."""
    return sibling(classical, Classical, name, "model", where)


def require_known(name: str) -> str:
    """The name of a model, for a config. Raises: ValueError where there is none of this name."""
    known = [one.name for one in siblings(classical, Classical)]
    if ":" in name:
        class_at(name, Classical, "model")
    elif name not in known:
        raise ValueError(f"no such model '{name}', known: {', '.join(known)}")
    return name
