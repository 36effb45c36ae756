"""Which rows of the pool to send for labelling, in a sheet with the reason for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.intake.compared_text import side_texts, text_key
from distill.core.intake.one_order import in_one_order
from distill.core.record_store import iter_records, slice_counts
from distill.core.run_folder import RECORDS
from distill.core.selection.choose import entropy_shares
from distill.core.sheets.propose import DISPUTED, UNCERTAIN, UNCOVERED, Proposals, divergence, propose
from distill.core.sheets.sheet import ID, LABEL, NOTE, REASON, columns_of, shown_text, write_sheet
from distill.pipeline.sampling.key import Key, KeyRow, name_of, text_hashes
from distill.pipeline.sampling.labelled_pool import LabelledPool, PoolLabels
from distill.pipeline.sampling.options import LABELLING

Answers = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Probabilities (C,) of each labelled row by id, by labeller."""


def write_proposals(run: Path, teacher: str | None, budget: int, seed: int, out: Path, force: bool) -> Json:
    """Choose rows that are worth a label by hand into a sheet; returns what was chosen.

    Uncertain by the teacher's entropy, disputed between all models that have labelled, or of a slice without a row of
    gold; a card's text comes once, and none that gold has already.

    Raises: UserError for a run without labels or pool, and for a sheet that is there already.
    """
    pool = LabelledPool(run)
    name = pool.teacher(teacher)
    labels = pool.labels(name)
    answers = _answers(pool, name, labels)
    rows, known = _proposals(pool, labels, answers), _known_texts(pool)
    covered = set(slice_counts(run / RECORDS, "train"))
    chosen = propose(rows, budget, covered, known, seed)
    if not chosen:
        raise UserError("no row of the pool is worth a label", where=str(run), do="all its texts have gold already")
    ids = [rows.ids[place] for place, _ in chosen]
    columns = columns_of(list(dict.fromkeys(pool.view(name).fields)))
    texts = {
        one: {column: shown_text(text) for column, text in cells.items()}
        for one, cells in pool.texts(ids, columns).items()
    }
    why = {rows.ids[place]: _why(place, reason, rows, answers, (pool, covered)) for place, reason in chosen}
    key = Key(
        name=name_of(LABELLING, name, ids),
        kind=LABELLING,
        teacher=name,
        made=pool.made(name),
        seed=seed,
        rows=[KeyRow(one, text_hashes(texts[one])) for one in ids],
        sizes={},
        pool=len(labels.ids),
        labelled=int(labels.usable.sum()),
    )
    sheet = [{ID: one, **texts[one], REASON: why[one]} for one in ids]
    write_sheet(out, [ID, *columns.values(), REASON, LABEL, NOTE], sheet, force=force)
    return {
        "sheet": str(out),
        "key": str(key.write(run)),
        "teacher": name,
        "compared_with": [one for one in answers if one != name],
        "budget": budget,
        "rows": len(ids),
        "pool": key.pool,
        "reasons": dict(Counter(reason for _, reason in chosen)),
        "slices": dict(Counter(rows.slices[place] for place, _ in chosen)),
        "uncovered_slices": sorted({one for one in rows.slices if one} - covered),
    }


def _answers(pool: LabelledPool, name: str, labels: PoolLabels) -> Answers:
    """What every model that has labelled says of the rows it has a label for."""
    stores = {name: labels} | {other: pool.labels(other) for other in pool.teachers if other != name}
    return {
        one: {row: store.chances[at] for at, row in enumerate(store.ids) if store.usable[at]}
        for one, store in stores.items()
    }


def _proposals(pool: LabelledPool, labels: PoolLabels, answers: Answers) -> Proposals:
    records = {record.id: record for record in pool.records()}
    objective, card = pool.space.objective, pool.card
    entropy = np.where(labels.usable, entropy_shares(objective.logits(labels.chances), objective), 1.0)
    said = [[own[name] for own in answers.values() if name in own] for name in labels.ids]
    return Proposals(
        labels.ids,
        entropy,
        np.array([divergence(one) if len(one) > 1 else 0.0 for one in said]),
        [records[name].slice or "" for name in labels.ids],
        [text_key(*side_texts(in_one_order(records[name], card.swap), card)) for name in labels.ids],
    )


def _known_texts(pool: LabelledPool) -> set[int]:
    """The card texts that have gold, and that of no text at all."""
    records = iter_records(pool.run / RECORDS, "train")
    return {0, *(text_key(*side_texts(in_one_order(record, pool.card.swap), pool.card)) for record in records)}


def _why(
    place: int, reason: str, rows: Proposals, answers: Answers, among: tuple[LabelledPool, Sequence[str] | set[str]]
) -> str:
    """All that speaks for a row, what it was chosen for first."""
    pool, covered = among
    name, labels = rows.ids[place], pool.space.labels
    said = {one: labels[int(own[name].argmax())] for one, own in answers.items() if name in own}
    own = next(iter(answers))
    told = {UNCERTAIN: f"uncertain: entropy {rows.entropy[place]:.2f} of the largest"}
    if own not in said:
        told[UNCERTAIN] = f"uncertain: {own} gives no label"
    if rows.dispute[place] > 0:
        told[DISPUTED] = "disputed: " + ", ".join(f"{one} says {label}" for one, label in said.items())
    if rows.slices[place] and rows.slices[place] not in covered:
        told[UNCOVERED] = f"uncovered: slice {rows.slices[place]} has no gold row"
    if reason != UNCERTAIN and own in said:
        del told[UNCERTAIN]
    return "; ".join([told[reason], *(text for kind, text in told.items() if kind != reason)])
