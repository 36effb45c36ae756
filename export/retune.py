"""`distill retune`: a bundle with a temperature and operating points for other rows, without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json
from distill.core.flags import at_least_one
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import objective
from distill.evaluation.calibration import at_bound
from distill.evaluation.metrics import FloatArray
from distill.evaluation.retuning import Fresh, Tuned, corrected, measured, tune
from distill.evaluation.safe_points import F1, LEAST_COST, Chosen, Rule, asked_rule, named_rule
from export.checked_bundle import named_errors, require_outside, verify
from export.class_mix import asked_costs, asked_mix
from export.fresh_rows import LabelledRows, read_labelled
from export.held_project import Columns, may_show_texts, reading_of
from export.positive_alone import judged, positive_alone
from export.retune_options import RetuneOptions
from export.retuned_bundle import Retuned, write_retuned
from export.verify import MANIFEST, SIGNATURE, read_json

if TYPE_CHECKING:
    from export.runtime import Bundle


def retune(bundle: Path, file: Path, options: RetuneOptions) -> Json:
    """Choose temperature and operating points of every file of a bundle anew on labelled rows, and write a new bundle.

    The model files and the labels of its answers stay; probabilities, thresholds and golden answers change. The old
    bundle is left as it is, and the new one is there only when it has passed `distill verify` and its own `runtime.py
    --verify`.

    Returns: `{"bundle", "out", "file", "file_sha256", "rows", "left_out", "clusters", "keys", "class_mix", "costs",
        "positive_alone", "labels", "shares", "was_signed", "artifacts": {name: {"temperature_before", "temperature",
        "at_bound", "probability_change", "log_loss_if_corrected", "points", "class_thresholds", "before", "after",
        "log_loss_change"}}}`; the last three are those of `measured`. Where a model tells the positive class alone from
        the rest (`positive_alone` names it, else None) temperature, log loss and ECE are of that yes or no.
    Raises: UserError for a bundle, a file or options that do not fit, and for too few clusters or classes. GateFailed
        when either bundle does not verify.
    """
    out = options.out or bundle.with_name(f"{bundle.name}-retuned")
    _require_free(out, bundle)
    at_least_one(threads=options.threads)
    verify(bundle, options.threads)
    models = _open(bundle, options.threads)
    space = _space(next(iter(models.values())))
    costs = None if options.costs is None else asked_costs(options.costs, space)
    rules = {name: _rules(list(model.operating_points), options, space) for name, model in models.items()}
    columns = Columns.of(bundle, options.label, options.keys)
    rows = read_labelled(models, space, file, columns, reading_of(bundle))
    alone = positive_alone(next(iter(models.values())).after)
    fresh = _fresh(rows, judged(space, alone), options, costs, file)
    logits = {name: values.astype(np.float64) for name, values in rows.logits.items()}
    tuned = {name: tune(fresh, logits[name], rules[name]) for name in models}
    figures = {
        name: _told(fresh, logits[name], _before(model), tuned[name], rules[name]) for name, model in models.items()
    }
    record = {**_record(fresh, rows, columns, file), "positive_alone": alone}
    write_retuned(bundle, out, Retuned(space, tuned, record, figures), options.threads)
    return {
        "bundle": str(bundle),
        "out": str(out),
        **record,
        "left_out": rows.left_out.as_json(texts=may_show_texts(bundle)),
        "labels": list(space.labels),
        "shares": dict(zip(space.labels, fresh.gold.mean(axis=0).tolist(), strict=True)),
        "was_signed": (bundle / SIGNATURE).exists(),
        "artifacts": figures,
    }


def _space(model: Bundle) -> LabelSpace:
    labels = tuple(model.labels)
    return LabelSpace(labels, objective(model.after["kind"], len(labels)), model.after["positive"])


def _before(model: Bundle) -> Tuned:
    """What a file answers by as it is."""
    points = {point: Chosen(least) for point, least in model.operating_points.items()}
    return Tuned(model.after["temperature"][model.precision], points, model.class_thresholds)


def _record(fresh: Fresh, rows: LabelledRows, columns: Columns, file: Path) -> Json:
    """What the lineage has of the rows."""
    mix = None if fresh.shares is None else dict(zip(fresh.space.labels, fresh.shares.tolist(), strict=True))
    return {
        "file": file.name,
        "file_sha256": rows.sha256,
        "rows": len(rows.target),
        "left_out": rows.left_out.count,
        "clusters": len(set(rows.names)),
        "keys": list(columns.keys),
        "class_mix": mix,
        "costs": None if fresh.costs is None else fresh.costs.tolist(),
    }


def _require_free(out: Path, bundle: Path) -> None:
    if out.resolve() == bundle.resolve():
        raise UserError("a bundle is not retuned in place", where=str(out), do="name another folder with --out")
    require_outside(out, bundle)
    if out.exists():
        raise UserError("something is there already", where=str(out), do="name another folder with --out, or remove it")


def _open(bundle: Path, threads: int | None) -> Mapping[str, Bundle]:
    """Every file of a bundle. Raises: UserError naming one that does not run here."""
    from export import runtime

    with named_errors(bundle):
        held = read_json(bundle / MANIFEST)["artifacts"]
        try:
            return {name: runtime.open_artifact(bundle, name, entry, threads) for name, entry in held.items()}
        except runtime.Unavailable as error:
            what, do = (
                "a file of the bundle does not run here",
                "retune it where all its files run: each has its own scale",
            )
            raise UserError(what, where=str(bundle), found=error, do=do) from None


def _rules(names: Sequence[str], options: RetuneOptions, space: LabelSpace) -> list[Rule]:
    """The rules of the operating points that there are, and of those that are asked for, each once."""
    if space.positive is None:
        if options.at:
            raise UserError(
                "the bundle has no positive class", where="--at", found=", ".join(options.at), do="leave it out"
            )
        return []
    known = {name: named_rule(name) for name in names}
    if strange := [name for name, rule in known.items() if rule is None]:
        raise UserError("operating points that no known rule has chosen", found=", ".join(strange))
    if LEAST_COST in known and not options.costs:
        do = "give --costs: those of lineage.retuned_from in its manifest.json, or others"
        raise UserError(f"the bundle has the operating point {LEAST_COST}", where="--costs", do=do)
    rules = [rule for rule in known.values() if rule is not None]
    rules += [asked_rule(text) for text in options.at or ()] + ([Rule(LEAST_COST, LEAST_COST)] if options.costs else [])
    return list({rule.name: rule for rule in rules}.values())


def _fresh(
    rows: LabelledRows, space: LabelSpace, options: RetuneOptions, costs: FloatArray | None, file: Path
) -> Fresh:
    fresh = Fresh(space, rows.target, rows.clusters, rows.names, costs=costs, source=str(file))
    if not options.class_mix:
        return fresh
    shares = asked_mix(options.class_mix, space, fresh.gold.mean(axis=0))
    return replace(fresh, shares=shares)


def _told(fresh: Fresh, logits: FloatArray, before: Tuned, tuned: Tuned, rules: Sequence[Rule]) -> Json:
    """The figures of one file, with what was chosen and what it changes on these rows."""
    chances = [fresh.space.objective.probabilities(logits / one.temperature) for one in (before, tuned)]
    found = measured(fresh, logits, before, rules)
    own = replace(fresh, shares=None)
    mixed = None if fresh.shares is None else corrected(fresh, logits / tune(own, logits, ()).temperature)
    return {
        "temperature_before": before.temperature,
        "temperature": tuned.temperature,
        "at_bound": at_bound(tuned.temperature),
        "probability_change": float(np.abs(chances[1] - chances[0]).mean()),
        "log_loss_if_corrected": mixed,
        "points": {rule.name: _point(fresh, chances, before, tuned, rule) for rule in rules},
        "class_thresholds": dict(tuned.class_thresholds),
        **found,
    }


def _point(fresh: Fresh, chances: Sequence[FloatArray], before: Tuned, tuned: Tuned, rule: Rule) -> Json:
    """A threshold before and after, and the share of rows that are decided otherwise."""
    place = fresh.space.labels.index(str(fresh.space.positive))
    old, new = before.points.get(rule.name, Chosen(None)), tuned.points[rule.name]
    decided = [
        None if one.threshold is None else chance[:, place] >= one.threshold
        for one, chance in zip((old, new), chances, strict=True)
    ]
    apart = None if decided[0] is None or decided[1] is None else float(np.mean(decided[0] != decided[1]))
    asked = rule.least if rule.best not in (F1, LEAST_COST) else None
    return {
        "threshold_before": old.threshold,
        "threshold": new.threshold,
        "least": asked,
        "nearest": new.nearest,
        "decided_otherwise": apart,
    }
