"""Settings of the latency benchmark: the `bench` section of a project."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from distill.core.config import Config


class BenchConfig(Config):
    """How many requests, in which batches, in how many processes, and when the ratios are known well enough."""

    requests: PositiveInt = Field(
        350, description="requests that each process answers at most, the same ones for every model"
    )
    warmup: NonNegativeInt = Field(20, description="requests answered before the clock counts, in each process")
    processes: PositiveInt = Field(3, description="fresh processes per model, at least, where the minutes allow")
    minutes: NonNegativeFloat = Field(
        5.0, description="of measuring, about, at most; 0: as many processes as were asked for, however long they take"
    )
    within: float = Field(
        0.03, gt=0, lt=1, description="half the width of every speed-up's interval, as a share of it, that is enough"
    )
    threads: PositiveInt | None = Field(None, description="processor threads of every model; the project's by default")
    spinning: bool = Field(
        True,
        description="let threads without work wait in a loop for a while; false: they sleep at once",
    )
    batch: Annotated[list[PositiveInt], Field(min_length=1)] = Field([1], description="records in one request")
    throughput_batch: PositiveInt = Field(32, description="records in one batch when throughput is measured")
    tail_samples: PositiveInt = Field(
        10, description="samples that must be beyond p95 or p99 for it to be reported; 10 need 200 and 1000 samples"
    )
    trained_students: bool = Field(
        True, description="time students in PyTorch beside their files, so that each factor of a speed-up is known"
    )
    int8_teachers: bool = Field(
        True, description="where students leave as int8, time document teachers as int8, too; that file is not kept"
    )
    layouts: bool = Field(
        True, description="answer the requests of a student's file once more in each layout of sessions and threads"
    )
    openvino: bool = Field(True, description="where OpenVINO is installed, time it with the fp32 files, too")
    compiled: bool = Field(
        False, description="time PyTorch models once more as torch.compile makes them; needs a compiler"
    )
    scenarios: list[Literal["grid", "offline", "open"]] = Field(
        default_factory=list, description="ways to ask each model, besides one request after another"
    )
    grid_batch: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [1, 8, 32], description="records in one request of the scenario grid"
    )
    grid_tokens: Annotated[list[PositiveInt], Field(min_length=1)] = Field(
        [16, 32, 64, 128, 256], description="lengths of the scenario grid, as far as the records have them"
    )
    sessions: PositiveInt = Field(1, description="sessions that share the threads in the scenario open")
    arrivals: int = Field(
        1000, ge=1000, description="requests at each rate of the scenario open; p99 needs ten beyond it"
    )
    p99_ms: PositiveFloat | None = Field(
        None, description="bound on p99 in the scenario open; five times the mean service time by default"
    )
    seed: NonNegativeInt = Field(1, description="seed of the choice of requests and of arrivals")
