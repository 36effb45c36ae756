"""`distill sweep`: one model over a grid of settings, the best chosen on validation, then all asked on test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from distill.core.config import load_yaml, merge, overrides, parse, parse_yaml
from distill.core.errors import UserError
from distill.core.grid import Grid, parse_over
from distill.core.names import shown
from distill.evaluation.cells import best
from distill.pipeline.studies.cells import Resolve, Way, cells_of, measured_model
from distill.pipeline.studies.study import Study, Told
from distill.report.studies.sweep_table import sweep_sentences, sweep_sheet

NAME = "sweep"
_TOLD = Told("What the settings come to", sweep_sentences, sweep_sheet)


def sweep_study(
    resolve: Resolve, over: Iterable[str] = (), file: Path | None = None, model: str | None = None
) -> Study:
    """A cell for each row and each combination of values.

    Args: over: `FIELD=A,B`. file: of the grid, or the name of a shipped one; None: the project's section `sweep`.
        model: the one that is fitted; None: the grid's, or the one whose fields vary.
    Raises: UserError for a grid that is none, without cells, or with a cell whose settings are refused.
    """
    base = resolve([])
    where = f"{base.where}: sweep" if file is None else str(file)
    grid = _grid(base.project.sweep if file is None else _read(file), parse_over(over), where)
    ways = [Way(point, grid.settings(point)) for point in grid.points]
    fields = [field for way in ways for field in _fields(overrides(way.sets, base.as_json()))]
    chosen = measured_model(resolve(ways[0].sets), model or grid.model, fields)
    return Study(NAME, base, chosen, cells_of(resolve, NAME, chosen, ways), best, _TOLD)


def shipped_grids() -> list[str]:
    """The names of the grids that come with the toolkit."""
    found = (files("teachers") / "sweeps").iterdir()
    return sorted(one.name.removesuffix(".yaml") for one in found if one.name.endswith(".yaml"))


def _read(file: Path) -> Mapping[str, Any]:
    if file.exists():
        return load_yaml(file)
    if str(file) not in shipped_grids():
        do = f"name a file, or a grid of the toolkit: {', '.join(shipped_grids())}"
        raise UserError("no such grid", where="--grid", found=shown(str(file)), do=do)
    text = (files("teachers") / "sweeps" / f"{file}.yaml").read_text(encoding="utf-8")
    return parse_yaml(text, str(file))


def _grid(values: Mapping[str, Any], over: Mapping[str, Any], where: str) -> Grid:
    grid = parse(Grid, merge(values, {"over": over} if over else {}), where)
    if not grid.points:
        raise UserError(
            "nothing says what to sweep over",
            where=where,
            do="give --over FIELD=A,B, --grid FILE, or a section sweep: {over: {FIELD: [A, B]}}",
        )
    return grid


def _fields(values: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    """The keys that lead to each of nested values."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _fields(value, (*before, key))
        else:
            yield *before, key
