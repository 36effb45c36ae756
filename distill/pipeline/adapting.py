"""How a teacher's checkpoint goes on being pre-trained on the run's own texts before it is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.core.config import parse
from teachers.pretraining.config import PretrainConfig

if TYPE_CHECKING:
    from distill.pipeline.settings import Settings

_OF_ITS_OWN_RUN = ("checkpoint", "fresh", "view", "own", "category", "texts")


def adapting(settings: Settings, teacher: str) -> PretrainConfig:
    """The recipe of the project's section `pretrain`, on the texts of the teacher's view in training and pool rows.

    What the section says of checkpoint and texts is for `distill pretrain` alone.

    Raises: UserError listing every problem of the section.
    """
    recipe = {key: value for key, value in settings.project.pretrain.items() if key not in _OF_ITS_OWN_RUN}
    return parse(PretrainConfig, {**recipe, "view": settings.teachers[teacher].view}, settings.where, "pretrain")
