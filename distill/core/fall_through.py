"""How records that a student is not sure of are sent on to the teacher: the section `fall_through` of a project."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat

from distill.core.config import Config
from distill.core.config_values import Share


def _between(shares: list[float]) -> list[float]:
    if any(not 0 < share < 1 for share in shares):
        raise ValueError("shares lie between 0 and 1; the curve has both ends by itself")
    if sorted(set(shares)) != shares:
        raise ValueError("shares are given once each, the least first")
    return shares


class FallThrough(Config):
    """Which shares of the records are tried, and which of them may be chosen."""

    shares: Annotated[list[float], Field(min_length=1, max_length=100), AfterValidator(_between)] = Field(
        default_factory=lambda: [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5],
        description="shares of the records that are sent on, each with its band",
    )
    by: Literal["margin", "probability"] = Field(
        "margin", description="what one label's sureness is: margin of the two likeliest, or probability of the first"
    )
    most: Share = Field(0.2, description="greatest share that may be chosen")
    latency_ms: PositiveFloat | None = Field(
        None, description="most milliseconds a record may take on average with the chosen share; null: any"
    )
    money_per_1000: NonNegativeFloat | None = Field(None, description="cost of 1,000 answers of the teacher")
