"""One output on the scale of ordered classes, with borders between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat, field_validator

from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import FloatArray
from distill.core.objectives.single_label import SingleLabel
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.metrics import tally
from distill.training.fit_objectives.aim import Affine, Aim, Floats, Folded
from distill.training.fit_objectives.borders import Cuts, best_f1, lines, midpoints, most_accurate
from distill.training.fit_objectives.fit_objective import FitObjective

if TYPE_CHECKING:
    from torch import Tensor

_UNORDERED = "an ordinal task with unordered values"


@dataclass(frozen=True)
class OneValue(SingleLabel):
    """A value on the scale; which class it means is said by borders."""

    name = "regression"
    problem_type = "regression"
    activation = "identity"


class Regression(FitObjective):
    """One output y, fitted to the value v_c of a row's class by its squared error.

    Of votes and soft labels it learns the mean value Σ_c p_c·v_c. After the fit it is a head of C outputs again,
    logit_c = s·(v_c·y − d_c), see `borders.lines`: their argmax is the class between whose borders y lies. Borders and
    scale s are chosen on validation: s has the lowest log loss.

    What the head learns is (y − v_0) / g, g the mean gap between neighbouring values: a fit does not depend on the
    unit that the values are in. In these units s is g² times as large, and fitted as a temperature is, within its
    bounds: of outputs that lie within a fifth of a gap around their class's place 300 rows say about 10, and 20,000
    rows the greatest, 20.
    """

    smooths: ClassVar[bool] = False
    folds: ClassVar[bool] = True

    class_values: list[float] | None = Field(
        None, description="value of each class, rising; null: 0, 1, 2, … in the order of task.labels"
    )
    borders: Literal["midpoints", "accuracy", "f1"] = Field(
        "midpoints",
        description="between the values; or where accuracy on validation is best; or F1 of task.positive, then of the "
        "class farthest from it",
    )
    scale: PositiveFloat | None = Field(
        None, description="s of the logits; null: the one with the lowest log loss on validation"
    )

    @property
    def chooses(self) -> str | None:
        """Borders, and the scale where it is not given."""
        fixed = self.borders == "midpoints" and self.scale is not None
        return None if fixed else "training.objective.regression: {borders: midpoints, scale: a number}"

    @field_validator("class_values")
    @classmethod
    def _rising(cls, values: list[float] | None) -> list[float] | None:
        if values is not None and any(high <= low for low, high in pairwise(values)):
            raise ValueError(f"{_UNORDERED}: each has to be above the one before")
        return values

    def problem_with(self, space: LabelSpace) -> str | None:
        """It needs ordered classes with a value each, and for borders by F1 a positive one."""
        if space.objective.several:
            return "an ordinal task has one label per record, and task.kind is multi"
        if not space.ordered:
            return f"{_UNORDERED}: task.ordered is false; set it to true, with task.labels from least to most"
        if self.class_values is not None and len(self.class_values) != len(space):
            return f"class_values: {len(self.class_values)} values for {len(space)} labels; give each its own"
        if self.borders == "f1" and space.positive is None:
            return "borders: f1 begins with the positive class, and task.positive is not set"
        return None

    def values(self, classes: int) -> tuple[float, ...]:
        """The value of each class, (C,)."""
        return tuple(map(float, range(classes) if self.class_values is None else self.class_values))

    def head(self, space: LabelSpace) -> LabelSpace:
        """The value."""
        return LabelSpace(("value",), OneValue())

    def aim(self, space: LabelSpace, shares: FloatArray) -> Aim:
        """Squared error of the value."""
        return Value(
            space.objective,
            OneValue(),
            1,
            values=self.values(len(space)),
            borders=self.borders,
            scale=self.scale,
            labels=space.labels,
            positive=space.positive_index,
        )

    def depends_on(self, space: LabelSpace) -> Json:
        """The positive class, where borders are chosen by it."""
        return {"positive": space.positive} if self.borders == "f1" else {}


@dataclass(frozen=True)
class Value(Aim):
    """One output on the scale.

    Attributes: values: of the classes, in the user's unit, and scale: s in that unit; None: the best on validation.
        borders: how they are chosen. labels, positive: of the task.
    """

    values: tuple[float, ...] = ()
    borders: str = "midpoints"
    scale: float | None = None
    labels: tuple[str, ...] = ()
    positive: int | None = None

    @property
    def gap(self) -> float:
        """The mean gap between the values of neighbouring classes, in which outputs are counted."""
        return (self.values[-1] - self.values[0]) / (len(self.values) - 1)

    @property
    def places(self) -> tuple[float, ...]:
        """The values as outputs are counted: from the first one on, in mean gaps, (C,)."""
        return tuple((value - self.values[0]) / self.gap for value in self.values)

    @property
    def served(self) -> Affine:
        """Borders halfway, scale 1, so that checkpoints are compared before any border is chosen."""
        return lines(self.places, midpoints(self.places))

    def constant(self, shares: Floats) -> Floats:
        """The mean value."""
        return np.array([shares @ np.array(self.values)], np.float32)

    def folded(self, outputs: Floats, target: Floats) -> Folded:
        """Borders and scale as they are asked for; where both are given, validation is read for the figures alone."""
        chosen = self._chosen(outputs, target)
        unscaled = lines(self.places, chosen)
        scale = self.scale * self.gap**2 if self.scale else 1 / fit_temperature(unscaled(outputs), target, self.task)
        affine = Affine(unscaled.slopes * scale, unscaled.offsets * scale)
        figures = {
            "name": Regression.name(),
            "values": list(self.values),
            "chosen_by": self.borders,
            "midpoints": midpoints(self.values).tolist(),
            "borders": (self.values[0] + chosen * self.gap).round(6).tolist(),
            "scale": float(f"{scale / self.gap**2:.7g}"),
        }
        if len(target):
            before, after = (self._worth(one(outputs), target) for one in (self.served, affine))
            figures["valid"] = {"midpoints": before, "borders": after}
        return Folded(affine, figures)

    def gold(self, target: Tensor) -> Tensor:
        """The mean value of the gold as outputs are counted, (B, 1)."""
        return target @ target.new_tensor(self.places)[:, None]

    def taught(self, logits: Tensor) -> Tensor:
        """The mean value under the teacher's probabilities as outputs are counted, (B, 1)."""
        return self.gold(logits.softmax(dim=-1))

    def _chosen(self, outputs: Floats, target: Floats) -> FloatArray:
        if self.borders == "midpoints":
            return midpoints(self.places)
        cuts = Cuts.of(outputs[:, 0], self.task.gold_decisions(target).argmax(axis=1), self.places)
        if self.borders == "accuracy":
            return most_accurate(cuts)
        assert self.positive is not None
        return best_f1(cuts, self.positive)

    def _worth(self, logits: Floats, target: Floats) -> Json:
        """Accuracy, F1 of each class, and log loss after the best temperature."""
        total = tally(logits / fit_temperature(logits, target, self.task), target, self.task).total()
        f1 = np.asarray(total.f1, np.float64).round(6).tolist()
        return {
            "accuracy": round(float(total.accuracy), 6),
            "f1": dict(zip(self.labels, f1, strict=True)),
            "log_loss": round(float(total.log_loss), 6),
        }
