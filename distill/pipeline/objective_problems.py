"""What does not go together of a task and of how models are fitted to its gold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distill.core.errors import hint
from distill.core.label_space import LabelSpace
from distill.core.names import shown
from distill.training.config import TrainingConfig


def objective_problems(space: LabelSpace, trainings: Mapping[str, TrainingConfig | None]) -> Iterator[str]:
    """One line for each objective, weight of a class and oversampling that the task does not allow.

    Args: trainings: by the dotted key of their entry; None for an entry without any.
    """
    for entry, training in trainings.items():
        if training is not None:
            yield from (f"{entry}.training.{line}" for line in _problems(space, training))


def _problems(space: LabelSpace, training: TrainingConfig) -> Iterator[str]:
    if problem := training.objective.problem_with(space):
        yield f"objective.{training.objective.name()}: {problem}"
    for name in ("class_weights", "oversample"):
        if space.objective.several and getattr(training, name) is not None:
            yield f"{name}: a row with several labels is of no single class; remove it"
    weights = training.class_weights if isinstance(training.class_weights, dict) else {}
    for label in weights:
        if label not in space.labels:
            yield f"class_weights: unknown class '{shown(label)}', {hint(label, space.labels)}"
    if weights and not any(weights.get(label, 1.0) for label in space.labels):
        yield "class_weights: every class weighs 0"
