"""Labels of the pool checked by hand: a sheet that hides them, and what it says of them when it comes back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import UserError
from distill.core.files import Json, write_json
from distill.core.label_space import LabelSpace
from distill.core.run_folder import RESULT_FILE, SAMPLES
from distill.core.sheets.draw import BANDS, draw, strata, weights
from distill.core.sheets.sheet import ID, LABEL, NOTE, columns_of, shown_text, write_sheet
from distill.evaluation.agreement import cohens_kappa, confusion, judges, weighted_share
from distill.pipeline.sampling.filled import judged, read_filled
from distill.pipeline.sampling.key import CHECK, Key, KeyRow, name_of, text_hashes
from distill.pipeline.sampling.labelled_pool import LabelledPool

Weights = NDArray[np.float64]


def write_check(run: Path, teacher: str | None, wanted: int, seed: int, out: Path, force: bool) -> Json:
    """Draw labelled rows of the pool into a sheet without their labels; returns what was drawn.

    Raises: UserError for a run without labels or pool, and for a sheet that is there already.
    """
    pool = LabelledPool(run)
    name = pool.teacher(teacher)
    labels, space = pool.labels(name), pool.space
    rows = labels.labelled()
    if not len(rows):
        raise UserError("no row of the pool has a label", where=f"{run}/labels/{name}", do="label the pool first")
    places, own = draw(rows, wanted, seed), strata(rows)
    ids = [rows.ids[place] for place in places]
    columns = columns_of(list(dict.fromkeys(pool.view(name).fields)))
    texts = {
        name: {column: shown_text(text) for column, text in cells.items()}
        for name, cells in pool.texts(ids, columns).items()
    }
    drawn = [
        KeyRow(rows.ids[place], text_hashes(texts[rows.ids[place]]), own[place], float(rows.confidence[place]))
        for place in places
    ]
    key = Key(
        name=name_of(CHECK, name, ids),
        kind=CHECK,
        teacher=name,
        made=pool.made(name),
        seed=seed,
        rows=drawn,
        sizes=dict(Counter(own)),
        pool=len(labels.ids),
        labelled=len(rows),
    )
    sheet = [{ID: name, **texts[name]} for name in ids]
    write_sheet(out, [ID, *columns.values(), LABEL, NOTE], sheet, force=force)
    return {
        "sheet": str(out),
        "key": str(key.write(run)),
        "teacher": name,
        "rows": len(ids),
        "pool": key.pool,
        "labelled": key.labelled,
        "labels": list(space.labels),
        "strata": len(key.sizes),
        "strata_drawn": len({row.stratum for row in drawn}),
        "stages": _drawn(key),
    }


def read_check(run: Path, sheet: Path, key: Key, second: Path | None) -> Json:
    """What a filled sheet says of the labels: accuracy, kappa, class shares; of a second judge's the agreement too.

    It is written beside the sheet's key. Every figure counts a row as often as it stands for rows of the pool.

    Raises: UserError as `judged`, and for a sheet that was drawn for labelling, of labels made anew since, or of
        another pool.
    """
    pool = LabelledPool(run)
    if key.kind != CHECK:
        do = "give it to a cascade (calibrate: SHEET), or add its rows to data.train"
        raise UserError("the sheet was drawn for labelling: it checks no labels", where=str(sheet), do=do)
    if pool.made(pool.teacher(key.teacher)) != key.made:
        do = "draw a new sheet; this one is about labels that are gone"
        raise UserError("the labels were made anew since the sheet was drawn", where=str(sheet), do=do)
    pool.require_current(key.teacher)
    first = judged(sheet, read_filled(sheet), key, pool.space)
    found = {"sample": key.name, "teacher": key.teacher, **_figures(key, first, pool.space)}
    if second is not None:
        other = judged(second, read_filled(second), key, pool.space)
        own = _figures(key, other, pool.space)
        between = judges(list(first), list(first.values()), list(other.values()), pool.space.labels)
        found |= {"judges": between, "second": {name: own[name] for name in ("accuracy", "kappa", "shares")}}
    write_json(run / SAMPLES / key.name / RESULT_FILE, found)
    return found


def _figures(key: Key, given: dict[str, str], space: LabelSpace) -> Json:
    """The figures of one judge."""
    drawn = [row.stratum for row in key.rows]
    weight = weights(drawn, dict(key.sizes))
    said = np.array([label for _, label, _ in drawn])
    gold = np.array([space.labels.index(given[row.id]) for row in key.rows])
    stages = np.array([stage for stage, _, _ in drawn])
    table = confusion(gold.tolist(), said.tolist(), weight, len(space))
    return {
        "rows": len(drawn),
        "pool": key.pool,
        "labelled": key.labelled,
        "accuracy": weighted_share((gold == said).tolist(), weight),
        "kappa": cohens_kappa(table),
        "stages": [_group(key, stage, stages == stage, gold == said, weight) for stage in _stage_names(key)],
        "classes": [
            {"label": label, **_accuracy(said == number, gold == said, weight)}
            for number, label in enumerate(space.labels)
        ],
        "shares": _shares(key, gold, weight, space),
        "confusion": confusion(gold.tolist(), said.tolist(), np.ones(len(said)), len(space)).astype(int).tolist(),
        "mistakes": [
            {
                "id": row.id,
                "label": space.labels[row.stratum[1]],
                "judged": given[row.id],
                "stage": row.stratum[0],
                "confidence": round(row.confidence, 4),
            }
            for row in key.rows
            if given[row.id] != space.labels[row.stratum[1]]
        ],
    }


def _group(key: Key, stage: str, own: NDArray[np.bool_], right: NDArray[np.bool_], weight: Weights) -> Json:
    rows = sum(size for stratum, size in key.sizes.items() if stratum[0] == stage)
    return {"stage": stage, "pool_rows": rows, **_accuracy(own, right, weight)}


def _accuracy(own: NDArray[np.bool_], right: NDArray[np.bool_], weight: Weights) -> Json:
    hits = right[own]
    return {
        "rows": int(own.sum()),
        "right": int(hits.sum()),
        "accuracy": weighted_share(hits.tolist(), weight[own]),
    }


def _shares(key: Key, gold: NDArray[np.int64], weight: Weights, space: LabelSpace) -> list[Json]:
    """What share of the labelled pool each class has: by the labels, and as the judged rows estimate it."""
    said = Counter[int]()
    for (_, label, _), rows in key.sizes.items():
        said[label] += rows
    return [
        {
            "label": label,
            "labels": said[number] / said.total(),
            "judged": weighted_share((gold == number).tolist(), weight),
        }
        for number, label in enumerate(space.labels)
    ]


def _stage_names(key: Key) -> list[str]:
    return sorted({stratum[0] for stratum in key.sizes})


def _drawn(key: Key) -> list[Json]:
    drawn = Counter(row.stratum[0] for row in key.rows)
    bands = Counter((row.stratum[0], BANDS[row.stratum[2]]) for row in key.rows)
    return [
        {
            "stage": stage,
            "pool_rows": sum(size for stratum, size in key.sizes.items() if stratum[0] == stage),
            "rows": drawn[stage],
            "bands": {band: bands[stage, band] for band in BANDS},
        }
        for stage in _stage_names(key)
    ]
