"""What every loss term is: settings, what it reads of the two models, and a sum over the rows of a batch."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from distill.core.config import Config
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE
from distill.training.ramp import Ramp, Weight

if TYPE_CHECKING:
    from torch import Tensor, nn

LOGITS, HIDDEN_STATES, ATTENTIONS = "logits", "hidden_states", "attentions"
PROJECTIONS, TWICE = "projections", "twice"
_NEEDS = frozenset({LOGITS, HIDDEN_STATES, ATTENTIONS, PROJECTIONS, TWICE})
_STUDENTS_OWN = frozenset({LOGITS, TWICE})


class Projections(NamedTuple):
    """Queries, keys and values of a layer, each float (W, S, H), its attention heads side by side."""

    queries: Tensor
    keys: Tensor
    values: Tensor
    heads: int


@dataclass(frozen=True)
class Sizes:
    """Of a model: its layers, H, and attention heads; and whether its layers read fewer and fewer positions."""

    layers: int
    width: int
    heads: int
    shortened: bool = False


@dataclass(frozen=True)
class Outputs:
    """What a classifier computes for a batch of B rows, which it reads in W ≥ B windows of S tokens.

    Attributes:
        logits: float (B, K), the windows of a row pooled. objective: what they say.
        hidden_states: float (W, S, H), of the embeddings and then of each layer; attentions: float (W, heads, S, S), of
        each layer; projections: of each layer. All are empty unless a term needs them.
        projected: states that a term's own projection made of the student's, by the term's class.
        viewed: of a teacher: its hidden states at [CLS] of each window's row, float (W, 1, H), where it reads the row
        through another view, by the view's name.
    """

    logits: Tensor
    objective: Objective = SINGLE
    hidden_states: tuple[Tensor, ...] = ()
    attentions: tuple[Tensor, ...] = ()
    projections: tuple[Projections, ...] = ()
    projected: Mapping[type[Term], tuple[Tensor, ...]] = field(default_factory=dict)
    viewed: Mapping[str, tuple[Tensor, ...]] = field(default_factory=dict)


class OfSource(Config):
    """What a term does otherwise for the rows of one source."""

    weight: NonNegativeFloat | None = Field(None, description="factor of the term there; null: as elsewhere")
    temperature: PositiveFloat | None = Field(None, description="T there, of a term that has one; null: as elsewhere")


class Term(Config):
    """One term of the loss. Its fields are its settings in the YAML; its name there is the class's in snake case.

    Those of this package are known by their names, another one by its place, `losses: {my_module:MyTerm: {weight: 1}}`.
    Importing a module of terms loads no torch: `__call__` imports it.
    Settings are read where torch is not installed.

    Attributes: needs: what it reads of the models. A teacher is loaded only if that is hidden states, attentions or
        projections. `twice`: the batch holds each row two times, the second half after the first.
    """

    needs: ClassVar[frozenset[str]] = frozenset({LOGITS})

    weight: Weight = Field(1.0, description="factor of the term in the loss, or a ramp; 0 leaves it out")
    sources: dict[str, OfSource] = Field(
        default_factory=dict, description="weight and temperature of rows by source: train, pool.NAME"
    )

    @field_validator("sources")
    @classmethod
    def _in_order(cls, sources: dict[str, OfSource]) -> dict[str, OfSource]:
        return dict(sorted(sources.items()))  # sums over floats depend on it, fingerprints do not

    @model_validator(mode="after")
    def _has_what_its_sources_set(self) -> Self:
        for name, own in self.sources.items():
            if own.temperature is not None and "temperature" not in type(self).model_fields:
                raise ValueError(f"sources.{name}.temperature: this term has no temperature")
        return self

    @property
    def counts(self) -> bool:
        """Whether it has a weight above 0 for any row."""
        return bool(self.weight) or any(own.weight for own in self.sources.values())

    def for_source(self, name: str) -> Self:
        """The term as it is for the rows of one of its `sources`."""
        own = {key: value for key, value in self.sources[name] if value is not None}
        return self.model_copy(update={**own, "sources": {}})

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Check what it needs. Raises: TypeError for what no model has."""
        super().__pydantic_init_subclass__(**options)
        if unknown := set(cls.needs) - _NEEDS:
            raise TypeError(f"{cls.__name__}.needs: unknown {sorted(unknown)}, known: {sorted(_NEEDS)}")

    @classmethod
    def name(cls) -> str:
        """The term's name in the YAML: `soft_cross_entropy` for `SoftCrossEntropy`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def at(self, step: int) -> Self:
        """The term for the optimiser step after `step` steps: each ramp is the number that it has there."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        ramps = {name: value.at(step) for name, value in values.items() if isinstance(value, Ramp)}
        return self.model_copy(update=ramps) if ramps else self

    def problem_with(self, objective: Objective) -> str | None:
        """What of its settings does not suit the task, beginning with the setting's name; None where all does."""
        return None

    def beyond(self, layers: int) -> str | None:
        """What it names that a student of so many layers has not, beginning with the setting's name; None for none."""
        return None

    def other_view(self) -> str | None:
        """The view through which the teacher reads a row for this term; None: what the student reads."""
        return None

    def check(self, student: Sizes, teacher: Sizes) -> None:
        """Check that the two models can be compared. Only for terms that read a teacher. Raises: UserError."""

    def projection(self, student: Sizes, teacher: Sizes) -> nn.Module | None:
        """What is trained beside the student and left out of it; None where nothing is.

        Returns: a module from the student's `hidden_states` to the tuple that `Outputs.projected` has for this term.
        """
        return None

    @abstractmethod
    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss (), summed over the rows that the term applies to, without its weight; 0 where there are none.

        Args:
            student: of the model in training, logits float32. teacher: its stored logits, and what else the term needs
            of the teacher's model on the same windows, or in `viewed` through the term's `other_view`.
            batch: as `Collator` makes it: `has_teacher`, `has_gold` bool (B,), `target` float (B, C), `owner` (W,), the
            row of each window, `attention_mask` (W, S). Rows without soft labels or gold hold any number in their
            place. Where the term has `sources`, it is called with the rows of one source after the other.
        """


def needs(terms: Iterable[Term]) -> frozenset[str]:
    """What these terms read of the models; a term of weight 0 reads nothing."""
    return frozenset().union(*(term.needs for term in terms if term.counts))


def needs_teacher(terms: Iterable[Term]) -> bool:
    """Whether the teacher's model is read, not its stored logits alone."""
    return bool(needs(terms) - _STUDENTS_OWN)


def same_view(terms: Iterable[Term]) -> list[Term]:
    """The terms that read the teacher's model on what the student reads."""
    return [term for term in terms if needs_teacher([term]) and term.other_view() is None]


def other_views(terms: Iterable[Term]) -> list[str]:
    """The views through which the teacher's model is read besides, each once, in alphabetical order."""
    found = {view for term in terms if needs_teacher([term]) and (view := term.other_view()) is not None}
    return sorted(found)
