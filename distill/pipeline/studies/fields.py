"""`distill ablate --fields`: a model without each field of its view, fitted again, beside what the field says twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial

from distill.core.errors import UserError, unknown_name
from distill.core.files import Json
from distill.core.intake.overlap import field_uses
from distill.core.project import ViewConfig
from distill.core.record_store import count_records, sample_records
from distill.core.run_folder import RECORDS
from distill.core.view import View
from distill.evaluation.over_seeds import Seeded
from distill.pipeline.experiment import Experiment
from distill.pipeline.seeds import first_run
from distill.pipeline.studies.cells import Cell, Resolve, Way, cells_of
from distill.pipeline.studies.narrowed import narrowed, swap_fields
from distill.pipeline.studies.reading import reader, reading
from distill.pipeline.studies.study import Study, Told
from distill.report.studies.fields_table import fields_sentences, fields_sheet

NAME, WITHOUT, NONE = "ablate-fields", "without", "nothing"
_ABLATED = "ablated"
_ROWS = 2000  # training rows on which fields are compared
_TOLD = Told("What each field brings", fields_sentences, fields_sheet)


def fields_study(resolve: Resolve, model: str | None = None, view: str | None = None) -> Study:
    """A cell for the whole view, and one without each field that may be left out.

    The records stay as they are, since only this model reads the smaller view. The one field of a left side is needed,
    and so are the fields of `task.swap`.

    Args: model: the one that is fitted; None: the first teacher. view: that it reads; None: its own.
    Raises: UserError for an unknown view, a model that `reader` refuses, and a view of one field.
    """
    base = resolve([])
    chosen = reader(base, model or next(iter(base.teachers)))
    name = view or Experiment(base).models[chosen].view
    if name not in base.project.views:
        raise unknown_name("view", name, base.project.views, "--view")
    ways = list(_ways(base.project.views[name], chosen))
    if len(ways) == 1:
        raise UserError(
            "no field of this view can be left out", where=f"views.{name}", do="study a view of more fields"
        )
    cells = cells_of(resolve, NAME, chosen, ways)
    return Study(NAME, base, chosen, cells, partial(_whole, cells), _TOLD, more=lambda: _uses(cells[0]))


def _ways(view: ViewConfig, model: str) -> Iterator[Way]:
    needed = _needed(view)
    for field in [None, *(one for one in view.fields if one not in needed)]:
        left, right = ([one for one in side if one != field] for side in (view.left, view.right))
        smaller = narrowed(view, left, right)
        yield Way({WITHOUT: field or NONE}, change=partial(reading, model=model, view=smaller, name=_ABLATED))


def _needed(view: ViewConfig) -> dict[str, str]:
    """The fields that cannot be left out, each with what it is."""
    alone, swapped = view.left if len(view.left) == 1 else [], swap_fields(view)
    return {
        **{path: "the only field of its side, which cannot be left out" for path in alone},
        **{path: "a field of task.swap, which cannot be left out" for path in view.fields if path in swapped},
    }


def _whole(cells: list[Cell], found: Mapping[str, Seeded], metric: str) -> str:
    """The cell of the whole view. Raises: UserError where that one failed."""
    if cells[0].name not in found:
        do = "mend that first, then give the command again"
        raise UserError("the model with all fields failed, so there is nothing to compare with", do=do)
    return cells[0].name


def _uses(cell: Cell) -> Json:
    """What each field takes and says twice, on training rows. Args: cell: of the whole view, made."""
    run = first_run(cell.settings)
    view = run.project.views[_ABLATED]
    spec, records = Experiment(run).models[str(run.only)], run.run / RECORDS
    rows = sample_records(records, "train", min(_ROWS, count_records(records, "train")), run.project.seed)
    tokenizer = View.load(run.run / spec.artifact).renderer().tokenizer
    return {
        "rows": len(rows),
        "uses": [asdict(one) for one in field_uses(view, rows, tokenizer)],
        "needed": _needed(view),
    }
