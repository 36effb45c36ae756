"""A speed-up taken apart: what of it comes from reading less, from fewer layers, from the runtime and from int8.

    teacher on documents, PyTorch → teacher on cards → student, PyTorch → its fp32 file → the file

Each factor is the ratio of two neighbours, so their product is the whole. Where a neighbour was not timed, two factors
are told as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp

from benchmarks.intervals import Centre, ratio
from benchmarks.subjects import PYTORCH, Subject, reference
from distill.core.files import Json

VIEW, DEPTH, RUNTIME, PRECISION = "view", "depth", "runtime", "precision"
_FP32 = "fp32"


def factors(subjects: Sequence[Subject], centres: Mapping[str, Centre]) -> list[Json]:
    """For each file of a student `{"model", "reference", "factors": [{"name", "from", "to", "value", "low", "high"}],
    "value", "low", "high"}`; bounds are None where a side has one process.
    """
    first = reference(list(subjects))
    files = [one for one in subjects if one.role == "student" and one.export is not None]
    return [] if first is None else [_taken_apart(_chain(first, one, subjects), centres) for one in files]


def _chain(first: Subject, file: Subject, subjects: Sequence[Subject]) -> list[tuple[str, Subject]]:
    """The subjects from the reference to the file, each with what has changed up to it."""
    chain, waiting = [("", first)], list[str]()
    for name, found in _steps(first, file, subjects):
        waiting.append(name)
        if found is not None:
            chain.append((" × ".join(waiting), found))
            waiting = []
    return chain


def _steps(first: Subject, file: Subject, subjects: Sequence[Subject]) -> Iterator[tuple[str, Subject | None]]:
    trained = [one for one in subjects if one.export is None and one.runtime == PYTORCH]
    if file.view != first.view:
        readers = [one for one in trained if (one.role, one.view) == ("teacher", file.view)]
        same = [one for one in readers if one.name.partition("@")[0] == first.name.partition("@")[0]]
        yield VIEW, next(iter([*same, *readers]), None)
    yield DEPTH, next((one for one in trained if one.model_folder == file.model_folder), None)
    plain = [one for one in subjects if one.export is not None and one.model_folder == file.model_folder]
    if file.precision == _FP32:
        yield RUNTIME, file
    else:
        yield RUNTIME, next((one for one in plain if (one.precision, one.provider) == (_FP32, file.provider)), None)
        yield PRECISION, file


def _taken_apart(chain: Sequence[tuple[str, Subject]], centres: Mapping[str, Centre]) -> Json:
    names = [one.name for _, one in chain]
    parts = [
        {"name": name, "from": before, "to": one.name, **_ratio(centres, before, one.name)}
        for before, (name, one) in zip(names, chain[1:], strict=False)
    ]
    return {"model": names[-1], "reference": names[0], "factors": parts, **_ratio(centres, names[0], names[-1])}


def _ratio(centres: Mapping[str, Centre], above: str, below: str) -> Json:
    found = ratio(centres[above], centres[below])
    value = exp(centres[above].log - centres[below].log)
    return {"value": value, "low": found and found.low, "high": found and found.high}
