"""`distill frontier`: one model on shorter views, from labels that are made once: quality, tokens and ms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from distill.core.errors import UserError, unknown_name
from distill.core.files import Json
from distill.core.intake.words import tokenizer_or_words
from distill.core.project import ViewConfig
from distill.core.record_store import sample_records
from distill.core.run_folder import RECORDS
from distill.core.view import View
from distill.evaluation.over_seeds import Seeded
from distill.pipeline.budget.measuring import valid_split
from distill.pipeline.experiment import Experiment
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.studies.cells import Cell, Resolve, Way, cells_of, is_made
from distill.pipeline.studies.narrowed import narrowed, swap_fields
from distill.pipeline.studies.reading import reader, reading
from distill.pipeline.studies.served import Time, served, side_by_side
from distill.pipeline.studies.study import Study, Told
from distill.pipeline.view_tokenizer import known_tokenizer
from distill.report.studies.frontier_table import drawn, frontier_sentences, frontier_sheet

NAME, FIELDS, TOKENS, VIEW = "frontier", "fields", "max_tokens", "view"
_READ = "read"  # name of the view that the model reads in each cell
_SHARES = (1, 3 / 4, 1 / 2, 3 / 8, 1 / 4, 1 / 8)
_LEAST_TOKENS, _ROWS = 4, 1000
_TOLD = Told("What a shorter card costs", frontier_sentences, frontier_sheet, drawn)


def frontier_study(
    resolve: Resolve, views: Sequence[str] = (), model: str | None = None, time: Time = side_by_side
) -> Study:
    """A cell for each view; the longest leads, and the others are compared with it on the same rows.

    Args: views: of the project, two or more: these are the cells. One: it is shortened, by its length (1, 3/4, 1/2,
        3/8, 1/4, 1/8 of it), and at its whole length by its fields, from the last of each side on. None: the model's
        own. model: that is fitted; None: the first student. time: in place of fresh processes side by side.
    Raises: UserError for an unknown view, and a model that `reader` refuses.
    """
    base = resolve([])
    chosen = reader(base, model)
    for view in views:
        if view not in base.project.views:
            raise unknown_name("view", view, base.project.views, "--view")
    names = list(dict.fromkeys(views)) or [Experiment(base).models[chosen].view]
    known = {name: base.project.views[name] for name in names}
    ways = list(_named(known, chosen) if len(known) > 1 else _shorter(base, known[names[0]], chosen))
    cells = cells_of(resolve, NAME, chosen, ways)
    return Study(
        NAME, base, chosen, cells, partial(_longest, cells), _TOLD, _tokens, more=partial(_speed, base, cells, time)
    )


def _named(views: Mapping[str, ViewConfig], model: str) -> Iterator[Way]:
    """The views as they are, the longest first."""
    for name, view in sorted(views.items(), key=lambda pair: -pair[1].max_tokens):
        yield Way({VIEW: name, TOKENS: view.max_tokens}, change=partial(_reading, model=model, view=view))


def _shorter(base: Settings, view: ViewConfig, model: str) -> Iterator[Way]:
    """The view, shorter ones, and ones of fewer fields, which keep those of `task.swap`."""
    least = _least_tokens(base, view, model)
    lengths = dict.fromkeys(int(view.max_tokens * share) for share in _SHARES)
    sides = [(view.left, view.right)]
    sides += [(view.left[:count], view.right) for count in range(len(view.left) - 1, 0, -1)]
    sides += [(view.left, view.right[:count]) for count in range(len(view.right) - 1, -1, -1)]
    whole = [(view.max_tokens, own) for own in sides[1:] if swap_fields(view) <= {*own[0], *own[1]}]
    for tokens, (left, right) in [*((one, sides[0]) for one in lengths if one >= least), *whole]:
        words = " | ".join(filter(None, (", ".join(left), ", ".join(right))))
        named = "all" if (left, right) == sides[0] else words
        shorter = narrowed(view, left, right).model_copy(update={"max_tokens": tokens})
        yield Way({FIELDS: named, TOKENS: tokens}, change=partial(_reading, model=model, view=shorter))


def _least_tokens(base: Settings, view: ViewConfig, model: str) -> int:
    """The shortest length with room for text: by words, and by the model's tokenizer where that is in a folder."""
    known = known_tokenizer(_reading(base, model, view), _READ)
    special = [tokenizer_or_words(path).num_special_tokens_to_add(bool(view.right)) for path in {None, known}]
    return max(_LEAST_TOKENS, 1 + bool(view.right) + max(special))


def _reading(settings: Settings, model: str, view: ViewConfig) -> Settings:
    return reading(settings, model, view, _READ)


def _longest(cells: Sequence[Cell], found: Mapping[str, Seeded], metric: str) -> str:
    """The cell of the longest view. Raises: UserError where that one failed."""
    if cells[0].name not in found:
        do = "mend that first, then give the command again"
        raise UserError("the model on the longest view failed, so there is nothing to compare with", do=do)
    return cells[0].name


def _tokens(cell: Cell) -> Json:
    """The mean tokens that the model reads of a validation row, and the share of rows that the view cuts."""
    run = first_run(cell.settings)
    experiment = Experiment(run)
    folder = run.run / experiment.models[str(run.only)].artifact
    rows = sample_records(run.run / RECORDS, valid_split(experiment), _ROWS, run.project.seed)
    encoded = View.load(folder).renderer().encode_batch([row.fields for row in rows])
    return {
        "tokens": sum(one.read_tokens for one in encoded) / len(encoded),
        "cut": sum(one.cut_tokens > 0 for one in encoded) / len(encoded),
    }


def _speed(base: Settings, cells: Sequence[Cell], time: Time) -> Json:
    """What requests take in every cell that is made, side by side."""
    made = [cell for cell in cells if all(map(is_made, cell.runs))]
    return {"speed": served(base, NAME, made, time)}
