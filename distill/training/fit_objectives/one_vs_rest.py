"""One yes or no: whether a record is of the positive class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.objectives.multi_label import MultiLabel
from distill.core.objectives.objective import FloatArray
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import prior_logits
from distill.training.fit_objectives.aim import Affine, Aim, Floats, Folded
from distill.training.fit_objectives.fit_objective import FitObjective

if TYPE_CHECKING:
    from torch import Tensor

_LEAST = 1e-6  # share of a class that no training row has


class OneVsRest(FitObjective):
    """One output z, the log odds of `task.positive` against all other classes.

    It learns gold (positive or not) and soft labels, of which it reads the positive class's probability p and the sum
    of the rest: log p/(1−p) = z_p − log Σ_{c≠p} exp z_c. After the fit it is a head of C outputs again: logit_p = s·z,
    logit_c = log of the class's share among the rest of the training rows, so that softmax(logits)_p = sigmoid(s·z).
    The scale s is chosen on validation, where it has the lowest log loss of that yes or no: a temperature of all C
    logits would move the shares of the rest, and with them the probability of the class, to calibrate it.
    """

    shared: ClassVar[bool] = True
    folds: ClassVar[bool] = True
    kept_in: ClassVar[str] = "f1_positive"

    scale: PositiveFloat | None = Field(
        None, description="s of the log odds; null: the one with the lowest log loss on validation"
    )

    @property
    def chooses(self) -> str | None:
        """The scale, where it is not given."""
        return None if self.scale is not None else "training.objective.one_vs_rest: {scale: a number}"

    def problem_with(self, space: LabelSpace) -> str | None:
        """It needs a positive class, and classes that compete."""
        if space.objective.several:
            return "of several labels each has a yes or no already; use cross_entropy"
        return None if space.positive else "task.positive is not set; name the class that is learnt against the rest"

    def head(self, space: LabelSpace) -> LabelSpace:
        """A yes or no about the positive class."""
        return LabelSpace((str(space.positive),), MultiLabel())

    def aim(self, space: LabelSpace, shares: FloatArray) -> Aim:
        """The odds of the positive class. Args: shares: of the classes in the training gold, float64 (C,)."""
        place = space.positive_index
        assert place is not None
        return Odds(
            space.objective,
            MultiLabel(),
            1,
            positive=place,
            labels=space.labels,
            shares=tuple(shares),
            scale=self.scale,
        )

    def depends_on(self, space: LabelSpace) -> Json:
        """The positive class."""
        return {"positive": space.positive}


@dataclass(frozen=True)
class Odds(Aim):
    """One output, the log odds of a class.

    Attributes: positive: its place. shares: of all classes in training gold. scale: s; None: the best on validation.
    """

    positive: int = 0
    labels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    scale: float | None = None

    @property
    def positive_label(self) -> str:
        """The class that it is the log odds of."""
        return self.labels[self.positive]

    def constant(self, shares: Floats) -> Floats:
        """The log odds of the positive class."""
        return np.asarray(prior_logits(shares[[self.positive]], self.head), np.float32)

    @property
    def served(self) -> Affine:
        """The output for the positive class, the shares among the rest for the others: scale 1, for checkpoints."""
        rest = np.maximum(np.array(self.shares, np.float64), _LEAST)
        rest[self.positive] = 0
        offsets = np.log(rest / rest.sum(), where=rest > 0, out=np.zeros(len(rest)))
        return Affine(np.eye(len(rest))[:, [self.positive]], offsets)

    def folded(self, outputs: Floats, target: Floats) -> Folded:
        """By `served` and the scale."""
        own = self.served
        scale = self.scale or 1 / fit_temperature(outputs, target[:, [self.positive]], self.head)
        shares = np.exp(own.offsets).round(6).tolist()
        rest = {name: share for name, share in zip(self.labels, shares, strict=True) if name != self.positive_label}
        figures = {"name": OneVsRest.name(), "positive": self.positive_label, "rest": rest, "scale": round(scale, 6)}
        return Folded(Affine(own.slopes * scale, own.offsets), figures)

    def gold(self, target: Tensor) -> Tensor:
        """The share of the positive class, (B, 1)."""
        return target[:, self.positive : self.positive + 1]

    def taught(self, logits: Tensor) -> Tensor:
        """Its log odds against the sum of the rest, (B, 1)."""
        import torch

        rest = torch.cat([logits[:, : self.positive], logits[:, self.positive + 1 :]], dim=1)
        return logits[:, self.positive : self.positive + 1] - rest.logsumexp(dim=1, keepdim=True)
