"""`distill diff`: what a new bundle answers otherwise than an old one, on the rows of a file of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import objective
from distill.core.paths import require_file
from distill.core.rendering import has_column, name_at
from distill.evaluation.changes import LABELS, Answered, Changes, Rows
from export.batch.answering import one_value
from export.batch.inputs import surveyed
from export.checked_bundle import open_bundle
from export.diff_options import DiffOptions
from export.gold_column import GoldColumn, NoGold
from export.held_project import Columns, may_show_texts, reading_of
from export.record_rows import LeftOut, Read, read_chunks
from export.verify import CLASS_F1, MANIFEST, read_json

if TYPE_CHECKING:
    from export.runtime import Bundle

_MOST_SLICES = 200


def diff(old: Path, new: Path, file: Path, options: DiffOptions) -> Json:
    """Ask two bundles the rows of a file and count what changes; a part of the file is in memory at a time.

    Each bundle reads the fields of its own view. Rows that either cannot read are left out.

    Returns: as `Changes.found`, with `old` and `new` (`{"bundle", "name", "seal", "file", "points"}`), `file` with its
        `file_sha256`, `left_out`, `label_column` (None: there is none), `unknown_labels` in it, `slice`, the points
        `only_old` and `only_new`, `limit`, and in `exceeded` what is above it. An example has its `line`, `id`, `slice`
        and `texts`.
    Raises: UserError for bundles of other labels, a file or options that do not fit, and where no row can be compared.
        GateFailed for a bundle that does not give its own answers.
    """
    options.check()
    texts = may_show_texts(new) if options.texts is None else options.texts
    models = (_opened(old, options), _opened(new, options))
    pair = _Pair.of(models, (old, new))
    require_file(file)
    changes, left_out, source = Changes(pair.space, options.examples), LeftOut(), surveyed(file, reading_of(new))
    gold, usual = None, Columns.of(new, options.label)
    more = [path for path in (options.label, options.slice) if path is not None]
    single = [options.slice] if options.slice else []
    for chunk in read_chunks(source, models, more, left_out, [usual.label], single):
        if chunk and gold is None and (options.label or any(has_column(row.values, usual.label) for row in chunk)):
            gold = GoldColumn(pair.space, usual.label, usual.rare)
        if chunk:
            changes.add(_rows(chunk, gold, pair.space, options.slice), pair.old(chunk), pair.new(chunk))
        if changes.slices > _MOST_SLICES:
            do = "name a column with a value for many rows"
            raise UserError(f"more than {_MOST_SLICES} slices", where="--slice", found=options.slice, do=do)
    if not changes.rows:
        reasons = [f"line {one['line']}: {one['reason']}" for one in left_out.first[:5]]
        raise UserError("no row can be compared", where=str(file), found="; ".join(reasons) or None)
    if gold is not None and options.label is not None:
        gold.require_known(str(file))
    found = changes.found()
    for example in found["examples"]:
        example |= _shown(example.pop("row"), pair, options.slice, texts)
    return {
        "old": _named(old, models[0]),
        "new": _named(new, models[1]),
        "file": str(file),
        "file_sha256": source.sha256,
        "left_out": left_out.as_json(texts=texts),
        **found,
        "label_column": None if gold is None else gold.column,
        "unknown_labels": "" if gold is None else gold.listed(),
        "slice": options.slice,
        "only_old": pair.alone(0),
        "only_new": pair.alone(1),
        "limit": options.most,
        "exceeded": _exceeded(found, options.most),
    }


def _opened(folder: Path, options: DiffOptions) -> Bundle:
    return open_bundle(folder, options.precision, options.threads)


@dataclass(frozen=True)
class _Pair:
    """Two bundles with the same labels. Attributes: points: that both have. order: of the new one's logits, to be those
    of the old one's labels.
    """

    models: tuple[Bundle, Bundle]
    space: LabelSpace
    points: Sequence[str]
    order: Sequence[int]

    @classmethod
    def of(cls, models: tuple[Bundle, Bundle], folders: tuple[Path, Path]) -> _Pair:
        """Raises: UserError naming labels that one lacks, another kind of answers or another positive class."""
        old, new = models
        gone, come = ([one for one in a.labels if one not in b.labels] for a, b in ((old, new), (new, old)))
        where = f"{folders[0]}, {folders[1]}"
        if gone or come:
            found = "; ".join(
                f"only {side}: {', '.join(names)}" for side, names in (("old", gone), ("new", come)) if names
            )
            raise UserError("the bundles have other labels", where=where, found=found, do="compare bundles of one task")
        for key, what in (("kind", "kinds of answers"), ("positive", "positive classes")):
            if old.after[key] != new.after[key]:
                found = f"{old.after[key]} and {new.after[key]}"
                raise UserError(
                    f"the bundles have other {what}", where=where, found=found, do="compare bundles of one task"
                )
        space = LabelSpace(tuple(old.labels), objective(old.after["kind"], len(old.labels)), old.after["positive"])
        shared = [point for point in _points(old) if point in _points(new)]
        return cls(models, space, shared, [new.labels.index(label) for label in old.labels])

    def old(self, chunk: Sequence[Read]) -> Answered:
        """The old one's answers."""
        return self._answered(self.models[0], chunk, range(len(self.space)))

    def new(self, chunk: Sequence[Read]) -> Answered:
        """The new one's answers, in the order of the old one's labels."""
        return self._answered(self.models[1], chunk, self.order)

    def alone(self, place: int) -> list[str]:
        """Points that only one has."""
        return [point for point in _points(self.models[place]) if point not in self.points]

    def _answered(self, model: Bundle, chunk: Sequence[Read], order: Sequence[int]) -> Answered:
        logits = model.logits([row.values for row in chunk])
        chances = model.probabilities(logits)[:, list(order)].astype(np.float64)
        points = {}
        for point in self.points:
            if point == CLASS_F1:
                points[point] = chances >= [model.class_thresholds[label] for label in self.space.labels]
            else:
                points[point] = chances[:, self.space.labels.index(str(self.space.positive))] >= model.threshold(point)
        # The first of equal logits counts, in the bundle's own order.
        decided = self.space.objective.decisions(logits)[:, list(order)]
        return Answered(chances, decided, points)


def _points(model: Bundle) -> list[str]:
    """Operating points that a bundle can answer at."""
    reached = [name for name, least in model.operating_points.items() if least is not None]
    return [*reached, *([CLASS_F1] if model.class_thresholds else [])]


def _rows(chunk: Sequence[Read], gold: GoldColumn | None, space: LabelSpace, slice_: str | None) -> Rows:
    targets = [_target(gold, row) for row in chunk]
    held = np.array([np.zeros(len(space)) if one is None else one for one in targets])
    slices = [one_value(row.values, slice_) for row in chunk] if slice_ else []
    labelled = np.array([one is not None for one in targets])
    return Rows(chunk, space.objective.gold_decisions(held), labelled, slices)


def _target(gold: GoldColumn | None, row: Read) -> Any:
    try:
        return None if gold is None else gold.target(row)
    except NoGold:
        return None


def _shown(row: Read, pair: _Pair, slice_: str | None, texts: bool) -> Json:
    """What names a row, and its texts as the new bundle reads them."""
    name = name_at(row.values, "id")
    found: Json = {"line": row.line, "id": None if name is None else str(name)}
    if slice_:
        found["slice"] = one_value(row.values, slice_)
    if texts:
        found["texts"] = [text for text in pair.models[1].renderer.text(row.values) if text]
    return found


def _named(folder: Path, model: Bundle) -> Json:
    manifest = read_json(folder / MANIFEST)
    points = {name: least for name, least in model.operating_points.items() if least is not None}
    return {
        "bundle": str(folder),
        "name": manifest["name"],
        "seal": manifest["seal"],
        "file": model.precision,
        "points": points,
    }


def _exceeded(found: Json, most: float | None) -> list[Json]:
    """Counts whose share of changed rows is above the limit."""
    counts = {LABELS: found[LABELS], **found["points"]}
    above = {name: one["share"]["value"] for name, one in counts.items()}
    return [{"what": name, "share": share} for name, share in above.items() if most is not None and share > most]
