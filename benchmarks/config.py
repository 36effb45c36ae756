"""Settings of the latency benchmark: the `bench` section of a project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from distill.core.config import Config


class BenchConfig(Config):
    """How many requests, in which batches, in how many processes."""

    requests: PositiveInt = Field(350, description="requests that each process answers, the same ones for every model")
    warmup: NonNegativeInt = Field(20, description="requests answered before the clock counts, in each process")
    processes: PositiveInt = Field(3, description="fresh processes per model, one after another")
    threads: PositiveInt | None = Field(None, description="processor threads of every model; the project's by default")
    batch: Annotated[list[PositiveInt], Field(min_length=1)] = Field([1], description="records in one request")
    throughput_batch: PositiveInt = Field(32, description="records in one batch when throughput is measured")
    tail_samples: PositiveInt = Field(
        10, description="samples that must be beyond p95 or p99 for it to be reported; 10 need 200 and 1000 samples"
    )
    seed: NonNegativeInt = Field(1, description="seed of the choice of requests")
