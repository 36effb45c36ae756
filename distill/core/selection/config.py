"""The section `select` of a project: which rows of the labelled pool students learn from, besides the gold rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from distill.core.config import Config

Band = tuple[float, float]


def _as_bands(value: Any) -> Any:
    """One band may be written without the outer list."""
    return [value] if isinstance(value, list) and value and not isinstance(value[0], list) else value


def _in_order(bands: list[Band]) -> list[Band]:
    reached = 0.0
    for low, high in bands:
        shown = f"[{low:g}, {high:g}]"
        if not (0 <= low <= 1 and 0 <= high <= 1):
            raise ValueError(f"{shown} is not within [0, 1], the share of the largest entropy, ln of the classes")
        if high <= low:
            raise ValueError(f"{shown} is reversed or empty; write [low, high]")
        if low < reached:
            raise ValueError(f"{shown} begins below {reached:g}, where the band before it ends")
        reached = high
    return bands


Bands = Annotated[list[Band], BeforeValidator(_as_bands), Field(min_length=1), AfterValidator(_in_order)]


class Select(Config):
    """What of the labelled pool is learnt from; by default all."""

    rows: PositiveInt | None = Field(None, description="rows taken; null: all that the other fields leave")
    entropy: Bands | None = Field(
        None, description="bands of the labels' entropy that are kept, as shares of ln C: [[0, 0.2], [0.5, 1]]"
    )
    balance: list[Literal["class", "slice", "band"]] = Field(
        default_factory=list,
        description="equally many rows of each predicted class, slice or band, and of each combination",
    )
    per_key: PositiveInt | None = Field(None, description="most rows with one value of a column of data.keys")
    seed: NonNegativeInt | None = Field(None, description="of the choice among equals; null: seed")

    @model_validator(mode="after")
    def _selects(self) -> Select:
        if self.balance and self.rows is None:
            raise ValueError("balance: needs rows, how many are taken in all")
        if "band" in self.balance and self.entropy is None:
            raise ValueError("balance: band needs entropy, the bands")
        if self.rows is None and self.entropy is None and self.per_key is None:
            raise ValueError("rows: with entropy and per_key left out too nothing is selected; remove the section")
        return self
