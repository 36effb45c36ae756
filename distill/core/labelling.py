"""Which machines label, and where labels are kept: the section `labelling` of a project."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from distill.core.config import Config


class Labelling(Config):
    """Who labels. None of it changes a label, so none of it makes a finished step stale."""

    engine: str = Field(
        "local", description="local: this process, or those of torchrun; ray: workers of a Ray cluster; or module:Class"
    )
    workers: PositiveInt | None = Field(
        None, description="of engine ray: workers, each with `threads`; null: as many as the cluster has room for"
    )
    gpus: NonNegativeFloat = Field(
        0, description="of engine ray: GPUs of a worker; a part of one is shared, 0: processors"
    )
    deaths: PositiveInt = Field(
        5, description="of engine ray: after so many deaths of workers at one shard the run stops and names it"
    )
    store: Annotated[str, Field(pattern=r"^([a-z][a-z0-9+.-]*://[^/]*|/)")] | None = Field(
        None,
        description="where shards are kept, for all machines: s3://bucket/prefix, gs://…, file:///folder; null: here",
    )
