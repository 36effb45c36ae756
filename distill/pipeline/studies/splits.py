"""`distill split-study`: one recipe on the same rows, split at random, by each key, and with no key in two parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.config import Data
from distill.core.intake.ledger import Ledger
from distill.core.record_store import count_records
from distill.core.run_folder import RECORDS
from distill.evaluation.over_seeds import Seeded
from distill.families.family import family
from distill.pipeline.experiment import Experiment
from distill.pipeline.seeds import first_run
from distill.pipeline.settings import Settings
from distill.pipeline.studies.cells import Cell, Resolve, Way, cells_of, measured_model
from distill.pipeline.studies.study import Study, Told
from distill.report.studies.splits_table import splits_sentences, splits_sheet

NAME, SPLIT = "split-study", "split"
RANDOM, FULL = "random", "full"
_TOLD = Told("What a split hides", splits_sentences, splits_sheet)


def split_study(resolve: Resolve, model: str | None = None) -> Study:
    """The same labelled rows split in each way: at random, by each key, by all keys at once.

    Rows of validation and test files join the training rows and are split again. A training row whose document a test
    has too is dropped, whatever `data.on_leak` says, so that a random split can be measured at all.

    Args: model: the one that is fitted; None: the first teacher.
    Raises: UserError for a project without keys, and a model that learns no rows or is made of one from elsewhere.
    """
    base = resolve([])
    if not base.project.data.keys:
        raise UserError(
            "the split study needs the identity column of each side",
            where=f"{base.where}: data.keys",
            found="none",
            do="name them, for example data.keys: [product.id, page.id], or --set data.keys=[product.id,page.id]",
        )
    chosen = measured_model(base, model or next(iter(base.teachers)))
    _require_learnt(Experiment(base), chosen)
    cells = cells_of(resolve, NAME, chosen, _ways(base.project.data.keys))
    return Study(NAME, base, chosen, cells, lambda found, metric: _random(cells, found), _TOLD, _facts)


def _require_learnt(experiment: Experiment, model: str) -> None:
    """Check that a model, with all that it is made of, learns training rows and has seen no others. Raises: UserError.

    What was made elsewhere may have learned the very rows that a split puts into its test.
    """
    made_of = [model]
    for name in made_of:
        made_of += [one for one in experiment.needs(experiment.models[name]) if one not in made_of]
    specs = [experiment.models[name] for name in made_of]
    do = "name one with --model that is fitted here, as is all that it is made of"
    if elsewhere := [spec.name for spec in specs if spec.is_made_elsewhere]:
        what = "the model is made of what was made elsewhere, which may have learned the rows of every test"
        raise UserError(what, where=model, found=", ".join(elsewhere), do=do)
    if not any(family(spec.family).learns for spec in specs):
        raise UserError("the model learns no rows, so a split of them hides nothing", found=model, do=do)


def _ways(keys: Sequence[str]) -> Iterator[Way]:
    splits: dict[str, Json] = {RANDOM: {"mode": "random"}}
    splits |= {f"by {key}": {"mode": "keys", "keys": [key]} for key in keys}
    splits |= {FULL: {"mode": "keys", "keys": None}} if len(keys) > 1 else {}
    for name, split in splits.items():
        yield Way({SPLIT: name}, change=partial(_split_again, split=split))


def _split_again(settings: Settings, split: Json) -> Settings:
    """The run with all labelled files as training files, split as it says."""
    data = settings.project.data
    files = [*data.train, *(data.valid or []), *(file for own in data.test.values() for file in own)]
    given: Json = {"train": files, "valid": None, "test": {}, "on_leak": "drop_train"}
    values = {**data.as_json(), **given, "split": {**data.split.as_json(), "keys": None, **split}}
    again = parse(Data, values, settings.where, "data")
    return replace(settings, project=settings.project.model_copy(update={"data": again}))


def _random(cells: list[Cell], found: Mapping[str, Seeded]) -> str:
    """The random split; where that one failed the first other one."""
    return next(iter([cell.name for cell in cells if cell.name in found]))


def _facts(cell: Cell) -> Json:
    """Rows of each part, and the rows that fell away, by reason."""
    run = first_run(cell.settings).run
    parts = ["train", "valid", *Experiment(first_run(cell.settings)).tests]
    accounts = Ledger.load(run / RECORDS).accounts.values()
    dropped = sum((Counter(one.dropped) for one in accounts if one.kept.keys() & set(parts)), Counter[str]())
    return {
        "parts": {part.partition(".")[0]: count_records(run / RECORDS, part) for part in parts},
        "dropped": dict(dropped),
    }
