"""Suspected errors among gold labels judged blind: a sheet of test rows, and what it says when it comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import Json, write_json
from distill.core.intake.hashing import unit
from distill.core.manifest import read_whole
from distill.core.project import ViewConfig
from distill.core.record_store import splits, texts_of
from distill.core.run_folder import EVALUATION, EVALUATION_FILE, RESULT_FILE, SAMPLES, read_run
from distill.core.sheets.draw import weights
from distill.core.sheets.sheet import ID, LABEL, NOTE, columns_of, shown_text, write_sheet
from distill.evaluation.agreement import cohens_kappa, confusion, judges, weighted_share
from distill.evaluation.label_errors import suspects
from distill.evaluation.measured_run import MeasuredRun, open_run
from distill.evaluation.scored import Scored
from distill.pipeline.sampling.filled import judged, read_filled
from distill.pipeline.sampling.key import Key, KeyRow, name_of, text_hashes
from distill.pipeline.sampling.options import AUDIT
from distill.report.names import teacher_of

SUSPECT, CONTROL = "suspect", "control"
Labels = NDArray[np.int64]


def write_audit(run: Path, teacher: str | None, budget: int, seed: int, out: Path, force: bool) -> Json:
    """Draw suspected test rows and as many others into a sheet without any label; returns what was drawn.

    Of more suspects than half of the budget some are drawn by chance, so that they stand for all of them.

    Args: teacher: whose answers make rows suspect, by its name in the report; None: the document teacher.
    Raises: UserError for a run that is not evaluated, for an unknown model, for a task with several labels, and for a
        sheet that is there already.
    """
    source = _evaluated(run)
    name = teacher or teacher_of("document", read_whole(source.folder / EVALUATION, EVALUATION_FILE) or {})
    scored = source.scored(name)[0]
    found = suspects(scored)
    half, others = max(1, budget // 2), np.setdiff1d(np.arange(len(scored)), found.places)
    drawn = {SUSPECT: _drawn(scored, found.places, half, seed)}
    drawn[CONTROL] = _drawn(scored, others, len(drawn[SUSPECT]) or half, seed)
    kinds = {scored.ids[place]: kind for kind, places in drawn.items() for place in places}
    ids = sorted(kinds, key=lambda one: (unit(seed + 1, AUDIT, one), one))
    columns, texts = _texts(run, source, ids)
    sizes = {(SUSPECT, 0, 0): len(found.places), (CONTROL, 0, 0): len(others)}
    rows = [KeyRow(one, text_hashes(texts[one]), (kinds[one], 0, 0)) for one in ids]
    key = Key(name_of(AUDIT, name, ids), AUDIT, name, "", seed, rows, sizes, len(scored), len(scored))
    write_sheet(out, [ID, *columns, LABEL, NOTE], [{ID: one, **texts[one]} for one in ids], force=force)
    return {
        "sheet": str(out),
        "key": str(key.write(run)),
        "teacher": name,
        "test_rows": len(scored),
        "suspects": len(found.places),
        "expected": found.expected,
        "rows": {kind: len(places) for kind, places in drawn.items()},
        "labels": list(scored.space.labels),
    }


def read_audit(run: Path, sheet: Path, key: Key, second: Path | None) -> Json:
    """What a filled sheet says of the gold labels: agreement, kappa, the share that is wrong, and figures without them.

    Suspects and controls count by the test rows that they stand for, so that the share of wrong labels is that of all
    test rows. Gold labels stay as they are; figures on judged labels stand beside them.

    Raises: UserError as `judged`, and where the test rows are others than those the sheet was drawn from.
    """
    source = _evaluated(run)
    scored = source.scored(key.teacher)[0]
    labels = scored.space.labels
    place = {one: at for at, one in enumerate(scored.ids)}
    if len(scored) != key.pool or any(row.id not in place for row in key.rows):
        do = "draw a new sheet; this one is about rows that are gone"
        raise UserError("the test rows are others than those that the sheet was drawn from", where=str(run), do=do)
    given = judged(sheet, read_filled(sheet), key, scored.space)
    at = np.array([place[row.id] for row in key.rows])
    said = np.array([labels.index(given[row.id]) for row in key.rows])
    gold, kinds = _gold(scored)[at], np.array([row.stratum[0] for row in key.rows])
    weight = weights([row.stratum for row in key.rows], dict(key.sizes))
    found: Json = {
        "sample": key.name,
        "teacher": key.teacher,
        "rows": len(at),
        "test_rows": len(scored),
        "agreement": weighted_share((gold == said).tolist(), weight),
        "kappa": cohens_kappa(confusion(gold.tolist(), said.tolist(), weight, len(labels))),
        "wrong": weighted_share((gold != said).tolist(), weight),
        "kinds": {kind: _wrong(gold != said, kinds == kind) for kind in (SUSPECT, CONTROL)},
        "models": list(_corrected(source, (at, said), weight)),
        "mistakes": [
            {"id": row.id, "gold": labels[was], "judged": labels[now], "kind": row.stratum[0]}
            for row, was, now in zip(key.rows, gold.tolist(), said.tolist(), strict=True)
            if was != now
        ],
    }
    if second is not None:
        other = judged(second, read_filled(second), key, scored.space)
        found["judges"] = judges(list(given), list(given.values()), list(other.values()), labels)
    write_json(run / SAMPLES / key.name / RESULT_FILE, found)
    return found


def _evaluated(run: Path) -> MeasuredRun:
    source = open_run(run)
    source.require_evaluated()
    if source.space.objective.several:
        what = "a sheet has one label for each row"
        raise UserError(what, where="task.kind", found="multi", do="not for this task")
    return source


def _models(source: MeasuredRun) -> list[Json]:
    found = read_whole(source.folder / EVALUATION, EVALUATION_FILE) or {}
    return [one for one in found.get("models", []) if isinstance(one, dict)]


def _drawn(scored: Scored, places: Labels, most: int, seed: int) -> list[int]:
    order = sorted(places.tolist(), key=lambda place: (unit(seed, AUDIT, scored.ids[place]), scored.ids[place]))
    return order[:most]


def _texts(run: Path, source: MeasuredRun, ids: Sequence[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The columns of the document's fields, and the cells of each row."""
    view = parse(ViewConfig, read_run(run)["config"]["views"]["document"], f"{run}/run.json", "views.document")
    columns, held = columns_of(list(dict.fromkeys(view.fields))), dict[str, Mapping[str, str]]()
    for split in (name for name in splits(source.records) if name.startswith("test.")):
        held |= texts_of(source.records, split, ids)
    if missing := [one for one in ids if one not in held]:
        raise UserError("records of the test are gone", where=str(source.records), found=missing[0], do="run it again")
    cells = {one: {col: shown_text(held[one].get(path, "")) for path, col in columns.items()} for one in ids}
    return list(columns.values()), cells


def _gold(scored: Scored) -> Labels:
    return scored.space.objective.gold_decisions(np.asarray(scored.target, np.float64)).argmax(axis=1)


def _wrong(wrong: NDArray[np.bool_], own: NDArray[np.bool_]) -> Json:
    even = np.ones(int(own.sum()))
    return {"rows": int(own.sum()), "wrong": int(wrong[own].sum()), "share": weighted_share(wrong[own].tolist(), even)}


def _corrected(source: MeasuredRun, found: tuple[Labels, Labels], weight: NDArray[np.float64]) -> Iterator[Json]:
    """Each model on gold labels, on them with the judged ones in their place, and as the judged rows estimate it.

    Args: found: places of the judged rows, and the judge's classes.
    """
    at, said = found
    known = source.models()
    for name in (one["name"] for one in _models(source) if one["name"] in known):
        scored = source.scored(name)[0]
        target = np.array(scored.target)
        target[at] = np.eye(target.shape[1])[said]
        was, now = scored.tally.total(), replace(scored, target=target).tally.total()
        answers = scored.space.objective.decisions(np.asarray(scored.logits[at], np.float64)).argmax(axis=1)
        yield {
            "model": name,
            "accuracy": {"gold": float(was.accuracy), "judged": float(now.accuracy)},
            "f1_macro": {"gold": float(was.f1_macro), "judged": float(now.f1_macro)},
            "estimated_accuracy": weighted_share((answers == said).tolist(), weight),
        }
