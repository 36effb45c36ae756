"""What requests of the models of a study's cells take, exported as the project says, timed side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.candidates import percentile_of
from benchmarks.config import BenchConfig
from benchmarks.environment import environment
from benchmarks.intervals import ratio
from benchmarks.latency_rows import Round, centres_of
from benchmarks.requests import Row
from benchmarks.subjects import Subject, trained_subject
from distill.core.files import Json, read_json, write_json
from distill.core.manifest import MANIFEST
from distill.core.progress import note
from distill.core.record_store import read_records, sample_records
from distill.core.run_folder import RECORDS
from distill.core.steps import Read, Step, Steps
from distill.families.family import family_of
from distill.pipeline.budget.measuring import valid_split
from distill.pipeline.execute import run_step, versions
from distill.pipeline.experiment import Experiment
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.studies.cells import Cell
from export.build import build_untried
from export.targets.base import Target

Time = Callable[[Sequence[Subject], Mapping[str, Sequence[Row]], BenchConfig, int], Mapping[str, Sequence[Round]]]
"""The processes of each subject, by its name, on the same rows with so many threads."""

_LATENCY, _FILE, _FEW = "latency", "speed.json", 64


def side_by_side(
    subjects: Sequence[Subject], rows: Mapping[str, Sequence[Row]], config: BenchConfig, threads: int
) -> Mapping[str, Sequence[Round]]:
    """Fresh processes of all subjects in turn, see `benchmarks.bench`."""
    total = len(subjects) * config.processes

    def told(done: int, least: int, name: str) -> None:
        if name:
            note(f"timing {name}, {done + 1} of {max(total, done + 1)} processes")

    return Bench(subjects, rows, config.model_copy(update={"layouts": False}), threads).run(told).rounds


def served(base: Settings, study: str, cells: Sequence[Cell], time: Time) -> Json:
    """`target`: what the models were exported to; `cells`: by name p50 and p99, and `times` as fast as the first.

    A model that no target of the project can write is timed as it was trained. Kept in the folder of the study.

    Args: cells: that are made, the one that leads first.
    """
    steps = Steps(base.run / study, base.as_json(), versions())
    target = _target(base, cells)
    for cell in cells if target else ():
        run_step(steps, _export_step(cell, target))
    run_step(steps, _time_step(base, base.run / study, cells, target, time))
    return {"target": target.name if target else None, "cells": read_json(base.run / study / _LATENCY / _FILE)}


def _target(base: Settings, cells: Sequence[Cell]) -> Target | None:
    """The last one of the project that every model can be, without a training of its own."""
    families = [family_of(_model(cell)) for cell in cells]
    able = [
        one
        for one in base.targets.values()
        if not one.refits and all(own.exports and (own.products or not one.quantises) for own in families)
    ]
    return able[-1] if able else None


def _model(cell: Cell) -> Path:
    run = first_run(cell.settings)
    return run.run / Experiment(run).models[str(run.only)].artifact


def _model_files(cell: Cell) -> tuple[Path, ...]:
    """What a model is made of."""
    return tuple(sorted(path for path in _model(cell).glob("*") if path.is_file() and path.name != MANIFEST))


def _export_step(cell: Cell, target: Target | None) -> Step:
    """A file whose answers are not checked: it is there to be timed."""
    assert target is not None
    run = first_run(cell.settings)

    def body(folder: Path) -> None:
        records = read_records(run.run / RECORDS, "train")[:_FEW] if target.calibrates else []
        build_untried(target, _model(cell), [record.fields for record in records], folder)

    return Step(
        name=f"export {cell.title}",
        artifact=f"exported/{cell.name}",
        body=body,
        config=target.as_fingerprint("falls_back", "fit"),
        files=_model_files(cell),
    )


def _time_step(base: Settings, folder: Path, cells: Sequence[Cell], target: Target | None, time: Time) -> Step:
    run = first_run(cells[0].settings)
    split, config = valid_split(Experiment(run)), base.bench.model_copy(update={"batch": [1], "scenarios": []})
    threads, machine = config.threads or base.project.threads, environment()

    def body(out: Path) -> None:
        rows = [one.fields for one in sample_records(run.run / RECORDS, split, config.requests, base.project.seed)]
        subjects = list(_subjects(folder, cells, target))
        rounds = time(subjects, {subject.view: rows for subject in subjects}, config, threads)
        write_json(out / _FILE, _figures(rounds, cells))

    return Step(
        name="time the cells side by side",
        artifact=_LATENCY,
        body=body,
        config={
            "bench": config.as_fingerprint(),
            "threads": threads,
            "seed": base.project.seed,
            "cells": [cell.name for cell in cells],
            "machine": {key: machine[key] for key in ("cpu", "cpu_flags", "cores", "versions")},
        },
        reads=tuple(Read(f"exported/{cell.name}") for cell in cells if target),
        files=(run.run / RECORDS / f"{split}.parquet", *(path for cell in cells for path in _model_files(cell))),
    )


def _subjects(folder: Path, cells: Sequence[Cell], target: Target | None) -> Iterator[Subject]:
    for cell in cells:
        model, run = _model(cell), first_run(cell.settings)
        spec = Experiment(run).models[str(run.only)]
        plain = trained_subject(cell.name, spec.view, model, spec.role, family_of(model))
        yield plain if target is None else plain.exported(target, folder / "exported" / cell.name)


def _figures(rounds: Mapping[str, Sequence[Round]], cells: Sequence[Cell]) -> Json:
    found, centres = dict[str, Json](), centres_of(rounds)
    by_cell = {cell.name: next(name for name in rounds if name.startswith(cell.name)) for cell in cells}
    for cell, name in by_cell.items():
        times = ratio(centres[by_cell[cells[0].name]], centres[name])
        found[cell] = {
            **{one: percentile_of(rounds[name], one) for one in ("p50", "p99")},
            "times": None if times is None or cell == cells[0].name else times._asdict(),
            "disturbed": max(float(one.get("disturbed", 0.0)) for one in rounds[name]),
        }
    return found
