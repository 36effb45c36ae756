"""The section `budget`: which students `distill bench --latency-budget` tries, and how they are timed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from distill.core.config import Config


class Budget(Config):
    """Candidates are all combinations of shape, length, export target and threads."""

    ms: PositiveFloat | None = Field(
        None, description="most milliseconds of a request; `distill bench` looks for the best student within them"
    )
    percentile: Literal["p50", "p99"] = Field("p99", description="of the requests, that the bound holds for")
    layers: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 2, 3, 4, 6, 8], description="depths that are tried, as far as the source has so many layers"
    )
    widths: list[PositiveInt] = Field(
        default_factory=list, description="widths of encoders of random weights that are tried beside the source's"
    )
    bag: bool = Field(True, description="try the bag of tokens too")
    max_tokens: list[Annotated[int, Field(ge=4, le=8192)]] = Field(
        default_factory=list,
        description="lengths of the student's view; by default its own, and a half and a quarter from 8 tokens on",
    )
    threads: list[PositiveInt] = Field(
        default_factory=list, description="processor threads that are tried; by default one and the project's"
    )
    train: PositiveInt = Field(3, description="students that are trained, at most")
    requests: int = Field(400, ge=100, description="requests that each process answers, at most")
    processes: int = Field(3, ge=2, description="fresh processes for each candidate: the interval is over them")
