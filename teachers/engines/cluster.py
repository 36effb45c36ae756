"""A Ray cluster: the one at RAY_ADDRESS, or one on this machine for as long as it is needed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distill.core.errors import MissingExtra, UserError
from distill.core.labelling import Labelling
from distill.core.progress import note
from teachers.engines.crew import Asked

_ADDRESS = "RAY_ADDRESS"
_STORE_BYTES = 256 << 20  # results are small; by default Ray takes a third of the memory
_LONGEST_PLACE = 36  # of the temporary folder: sockets below it have names of at most 107 bytes


@contextmanager
def cluster(asked: Labelling, threads: int) -> Iterator[tuple[Any, Asked]]:
    """The module `ray`, connected, and what is asked of it. A cluster that is connected already stays so.

    Raises: MissingExtra without Ray. UserError where no cluster is at RAY_ADDRESS, or none starts here.
    """
    ray = ray_module()
    if ray.is_initialized():
        yield ray, _asked(ray, asked, threads)
        return
    address = os.environ.get(_ADDRESS)
    how = {} if address else _own(asked, threads)
    try:
        ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **how)
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        do = f"check {_ADDRESS}, or unset it to work on this machine" if address else "see the message of Ray"
        raise UserError("no Ray cluster", where=address or "this machine", found=_brief(error), do=do) from error
    try:
        yield ray, _asked(ray, asked, threads)
    finally:
        ray.shutdown()


def ray_module() -> Any:
    """The module, which reports to nobody. Raises: MissingExtra."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reads it when it is imported and when it starts
    try:
        import ray
    except ModuleNotFoundError:
        raise MissingExtra("labelling by Ray", "ray") from None
    return ray


def _own(asked: Labelling, threads: int) -> dict[str, Any]:
    """How a cluster on this machine is started: without a dashboard, and with as many CPUs as the workers take."""
    workers = asked.workers or max(1, (os.cpu_count() or 1) // threads)
    found: dict[str, Any] = {
        "num_cpus": workers * threads,
        "include_dashboard": False,
        "object_store_memory": _STORE_BYTES,
    }
    if len(tempfile.gettempdir()) > _LONGEST_PLACE:
        found["_temp_dir"] = "/tmp/ray"
    return found


def _asked(ray: Any, asked: Labelling, threads: int) -> Asked:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    workers = asked.workers or max(1, sum(_room(node, asked, threads) for node in nodes))
    if (cards := sum(node.get("GPU", 0) for node in nodes)) and not asked.gpus:
        note(f"workers label on processors (labelling.gpus: 0), the cluster has {cards:g} GPUs: with 1 each takes one")
    return Asked(workers, threads, asked.gpus, asked.deaths)


def _room(node: dict[str, float], asked: Labelling, threads: int) -> int:
    """How many workers a machine has room for."""
    by_cpus = int(node.get("CPU", 0) // threads)
    return min(by_cpus, int(node.get("GPU", 0) // asked.gpus)) if asked.gpus else by_cpus


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
