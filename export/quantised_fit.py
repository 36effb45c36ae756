"""The last steps of a student's training once more, with its layers rounding as their int8 form will."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from distill.core.config import Config
from distill.core.files import read_json
from distill.core.model_folder import HISTORY_FILE
from distill.core.processes import rank
from distill.families.encoder import Encoder, Recipe
from distill.families.family import Lesson
from distill.training.config import AlterConfig
from distill.training.losses.registry import parse_terms
from students.config import StudentConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class QuantisedFit(Config):
    """How long and how fast a finished student goes on learning with rounded layers."""

    labels: Literal["student", "teachers"] = Field(
        "student",
        description="what it learns: the finished student's own logits, so that its decisions stay; or the labels and "
        "losses of the student's fit, a longer distillation whose decisions move on",
    )
    share: float = Field(0.1, gt=0, le=1, description="steps, as a share of those that the student took")
    least_steps: PositiveInt = Field(50, description="steps at least: the ranges of activations need some to settle")
    rate: PositiveFloat = Field(0.02, le=1, description="peak learning rate, as a share of the student's")


class RoundingEncoder(Encoder):
    """An encoder whose layers round while it is fitted; its folder has plain weights, and the scales beside them."""

    def fit(self, config: Recipe, lesson: Lesson, folder: Path) -> None:
        """As an encoder's. Raises: as there; UserError for an encoder without layers that int8 replaces."""
        from distill.training.fake_quantised import take_apart

        super().fit(config, lesson, folder)
        if not rank():
            take_apart(folder)

    def _shaped(self, model: PreTrainedModel, config: Recipe) -> PreTrainedModel:
        from distill.training.fake_quantised import fake_quantise

        fake_quantise(super()._shaped(model, config))
        return model


def fit_rounded(config: StudentConfig, how: QuantisedFit, lesson: Lesson, student: Path, folder: Path) -> None:
    """Step body: `folder` becomes the student in `student` after some more steps with rounded layers.

    Its rows are those of its fit. The rate comes down to 0, and the last weights are kept, so that nothing is chosen on
    validation rows. Of an 8-layer student of width 128 and 50 steps: a file that went on learning its teachers' labels
    at a fifth of the rate changed 7.2% of the student's labels, none of them by rounding, since the model itself had
    moved; by the student's own logits the mean difference of a logit was 0.0117 at a tenth of the rate and 0.0055 at a
    fiftieth, that of static int8 without training being 0.0056.

    Args: lesson: with the labels that `how` names.
    Raises: as `RoundingEncoder.fit`.
    """
    from distill.core.model_folder import width

    taken = int(read_json(student / HISTORY_FILE)["steps"])
    rate = config.training.for_width(width(student) or 1).learning_rate
    assert rate is not None
    ends = {"epochs": None, "max_steps": max(how.least_steps, round(how.share * taken)), "early_stopping": None}
    pace = {"learning_rate": how.rate * rate, "final_learning_rate": 0.0, "warmup": 0.1, "schedule": "linear"}
    kept = {"checkpoint": "last", "lora": None, "keep_evaluated": False}
    training = config.training.model_copy(update={**ends, **pace, **kept})
    # The student's folder has its layers, head and schedule already.
    whole: dict[str, Any] = {
        "layers": None,
        "keep": "spread",
        "head": None,
        "token_schedule": None,
        "training": training,
    }
    if how.labels == "student":
        whole["losses"] = parse_terms({"logits_mse": None})
        # What is to be copied exactly is read as it is served: dropout and 16 bits would be larger than rounding.
        exact = {"dropout": 0.0, "head_dropout": None, "precision": "fp32", "alter": AlterConfig(), "oversample": None}
        whole["training"] = training.model_copy(update=exact)
    own = replace(lesson, source=student, through=(), measured=False, steps=None)
    RoundingEncoder().fit(config.model_copy(update=whole), own, folder)
