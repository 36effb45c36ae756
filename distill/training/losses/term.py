"""What every loss term is: settings, what it reads of the two models, and a sum over the rows of a batch."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, field_validator, model_validator

from distill.core.config import Config
from distill.core.objectives.objective import Objective
from distill.core.objectives.single_label import SINGLE

if TYPE_CHECKING:
    from torch import Tensor

LOGITS, HIDDEN_STATES, ATTENTIONS = "logits", "hidden_states", "attentions"
_NEEDS = frozenset({LOGITS, HIDDEN_STATES, ATTENTIONS})


@dataclass(frozen=True)
class Outputs:
    """What a classifier computes for a batch of B rows, which it reads in W ≥ B windows of S tokens.

    Attributes:
        logits: float (B, K), the windows of a row pooled. objective: what they say.
        hidden_states: float (W, S, H), of the embeddings and then of each layer; attentions: float (W, heads, S, S), of
        each layer. Both are empty unless a term needs them.
    """

    logits: Tensor
    objective: Objective = SINGLE
    hidden_states: tuple[Tensor, ...] = ()
    attentions: tuple[Tensor, ...] = ()


class OfSource(Config):
    """What a term does otherwise for the rows of one source."""

    weight: NonNegativeFloat | None = Field(None, description="factor of the term there; null: as elsewhere")
    temperature: PositiveFloat | None = Field(None, description="T there, of a term that has one; null: as elsewhere")


class Term(Config):
    """One term of the loss. Its fields are its settings in the YAML; its name there is the class's in snake case.

    Those of this package are known by their names, another one by its place, `losses: {my_module:MyTerm: {weight: 1}}`.
    Importing a module of terms loads no torch: `__call__` imports it.
    Settings are read where torch is not installed.

    Attributes: needs: what it reads of the models. A teacher is loaded only if that is more than logits.
    """

    needs: ClassVar[frozenset[str]] = frozenset({LOGITS})

    weight: NonNegativeFloat = Field(1.0, description="factor of the term in the loss; 0 leaves it out")
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
        return self.weight > 0 or any(own.weight for own in self.sources.values())

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

    @abstractmethod
    def __call__(self, student: Outputs, teacher: Outputs, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss (), summed over the rows that the term applies to, without its weight; 0 where there are none.

        Args:
            student: of the model in training, logits float32. teacher: its stored logits, and hidden states or
            attentions of the teacher's model on the same windows where the term needs them.
            batch: as `Collator` makes it: `has_teacher`, `has_gold` bool (B,), `target` float (B, C), `owner` (W,), the
            row of each window, `attention_mask` (W, S). Rows without soft labels or gold hold any number in their
            place. Where the term has `sources`, it is called with the rows of one source after the other.
        """


def needs(terms: Iterable[Term]) -> frozenset[str]:
    """What these terms read of the models; a term of weight 0 reads nothing."""
    return frozenset().union(*(term.needs for term in terms if term.counts))


def needs_teacher(terms: Iterable[Term]) -> bool:
    """Whether the teacher's model is read, not its stored logits alone."""
    return bool(needs(terms) - {LOGITS})
