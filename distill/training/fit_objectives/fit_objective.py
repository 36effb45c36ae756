"""What every objective of a fit is: settings, what it asks of a task, and the aim that it gives a fit."""

from __future__ import annotations

import re
from typing import ClassVar

from distill.core.config import Config
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import FloatArray
from distill.training.fit_objectives.aim import Aim


class FitObjective(Config):
    """One objective. Its fields are its settings in the YAML; its name there is the class's in snake case.

    Attributes: smooths: whether `label_smoothing` says something of it. shared: whether it reads class shares. folds:
        whether the outputs in training are others than the task's logits. kept_in: the figure in which a model shows
        what it keeps of a teacher.
    """

    smooths: ClassVar[bool] = True
    shared: ClassVar[bool] = False
    folds: ClassVar[bool] = False
    kept_in: ClassVar[str] = "f1_macro"

    @property
    def chooses(self) -> str | None:
        """The settings that end what it chooses on validation; None where it chooses nothing."""
        return None

    @classmethod
    def name(cls) -> str:
        """The name in the YAML: `one_vs_rest` for `OneVsRest`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def problem_with(self, space: LabelSpace) -> str | None:
        """Why it does not suit the task; None where it does."""
        return None

    def head(self, space: LabelSpace) -> LabelSpace:
        """The outputs that are trained, as a label space of their own; the task's where the head is not folded."""
        return space

    def aim(self, space: LabelSpace, shares: FloatArray) -> Aim:
        """What a fit on a task minimises. Args: shares: of the classes in the training gold, float64 (C,)."""
        return Aim.plain(space.objective, len(space))

    def depends_on(self, space: LabelSpace) -> Json:
        """What of the task a fit depends on besides its labels and their kind."""
        return {}
