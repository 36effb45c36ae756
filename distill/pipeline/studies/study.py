"""A study from its cells to what is told: fits, the choice on validation, then test, figures, stored file and page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.files import Json
from distill.core.lock import at_work
from distill.core.progress import Reporter, reporting
from distill.core.sealed import write_sealed
from distill.evaluation import cells as measured
from distill.evaluation.cells import Scale
from distill.evaluation.over_seeds import Seeded
from distill.pipeline.settings import Settings
from distill.pipeline.studies.cells import Cell, make_cells
from distill.report.finding import Finding
from distill.report.studies.page import write_study_page
from distill.report.table_model import Sheet

SCHEMA = 1
Lead = Callable[[Mapping[str, Seeded], str], str]
"""From every cell's model on validation, and the metric, to the cell that the others are compared with."""


@dataclass(frozen=True)
class Told:
    """How a study is told. Attributes: title: of its page. sentences, sheet, drawn: from its result; drawn as HTML."""

    title: str
    sentences: Callable[[Json], list[str]]
    sheet: Callable[[Json], Sheet]
    drawn: Callable[[Json], str] = lambda found: ""


@dataclass(frozen=True)
class Study:
    """Cells to make and to compare.

    Attributes: name: of its files and folder. base: the run that the cells differ from. model: what each fits.
        lead: the cell that the others are compared with. told: how. facts: more of the result, of a cell that is made.
        more: of the result as a whole.
    """

    name: str
    base: Settings
    model: str
    cells: Sequence[Cell]
    lead: Lead
    told: Told
    facts: Callable[[Cell], Json] = lambda cell: {}
    more: Callable[[], Json] = dict

    @property
    def folder(self) -> Path:
        """The folder of its cells."""
        return self.base.run / self.name

    def find(self, reporter: Reporter) -> Finding:
        """Make every cell, and tell what they come to. What was made before is kept.

        Test rows are read after the last fit and after the choice, which is stored in `chosen.json` before.

        Raises: as `make_cells`; UserError for what the user gave.
        """
        with at_work(self.folder), reporting(reporter):
            failed = make_cells(self.cells, reporter, closed=True)
            fitted = [cell for cell in self.cells if cell.name not in failed]
            valid = measured.on_validation({cell.name: cell.answers() for cell in fitted}, self._scale)
            lead = self.lead(valid, self._scale.quality.metric)
            write_sealed(self.folder / "chosen.json", {"cell": lead, "by": self._scale.quality.metric})
            failed |= make_cells(fitted, reporter, closed=False)
            found = self._result(valid, lead, failed)
            write_sealed(self.base.run / f"{self.name}.json", found)
        page = self.base.run / f"{self.name}.html"
        sentences, sheet = self.told.sentences(found), self.told.sheet(found)
        write_study_page(self.told.title, sentences, [sheet], page, self.told.drawn(found))
        return Finding(found, [*sentences, sheet, f"page:   {page}"])

    @property
    def _scale(self) -> Scale:
        project = self.base.project
        return Scale(project.task.space, project.quality, project.seed)

    def _result(self, valid: Mapping[str, Seeded], lead: str, failed: Mapping[str, Json]) -> Json:
        whole = [cell for cell in self.cells if cell.name not in failed]
        test = measured.on_test({cell.name: cell.answers() for cell in whole}, self._scale)
        figures = dict(measured.cell_figures(valid, test, lead, self._scale))
        project, names = self.base.project, list(dict.fromkeys(name for cell in self.cells for name in cell.values))
        return {
            "schema": SCHEMA,
            "study": self.name,
            "model": self.model,
            "metric": project.quality.metric,
            "positive": project.task.positive,
            "seeds": project.seeds or [project.weights_seed],
            "columns": names,
            "lead": lead,
            "cells": [self._cell(cell, figures.get(cell.name), failed.get(cell.name)) for cell in self.cells],
            **self.more(),
        }

    def _cell(self, cell: Cell, figures: Json | None, failed: Json | None) -> Json:
        runs = [run.run.relative_to(self.base.run).as_posix() for run in cell.runs]
        found = {"name": cell.name, "run": f"{self.name}/{cell.name}", "runs": runs, "values": dict(cell.values)}
        if failed is not None:
            return {**found, "status": "failed", **failed}
        return {**found, "status": "done", "hours": cell.hours(), **(figures or {}), **self.facts(cell)}
