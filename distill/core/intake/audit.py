"""The audit step: what was read and dropped, balance, leaks and token lengths of the records of a run."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.core.errors import UserError
from distill.core.files import Json, read_object, write_json
from distill.core.intake import junk, shared_rows
from distill.core.intake.against import compare_records, old_records, uncovered_slices
from distill.core.intake.extra import is_extra
from distill.core.intake.hashing import unit
from distill.core.intake.ledger import EXAMPLES, Ledger
from distill.core.intake.near.findings import near_findings
from distill.core.intake.near.pool import REASON as NEAR
from distill.core.intake.overlaps import Overlap, SplitChecks, leak_checks, leaked_rows, overlaps
from distill.core.intake.rare_classes import REASON as RARE
from distill.core.intake.rows import sides_without_column
from distill.core.intake.source_overlaps import OVERLAPS_FILE, contained, contained_warnings
from distill.core.intake.splits import KEY_TEST, is_far
from distill.core.intake.token_figures import TokenFigures
from distill.core.progress import EVERY, Advance, progress
from distill.core.project import DROP, Project, Rare
from distill.core.record_store import count_records, iter_records, splits
from distill.core.records import Record

AUDIT_FILE = "audit.json"
SAMPLE_ROWS = 20_000
DUPLICATES = ("duplicate", "duplicate_other_label", "in_train", "in_valid", "in_test", "key_in_evaluation")
_HELD_OUT = ("side_in_test", "side_in_valid")
_NO_SLICE = ""
_MUCH_UNREAD, _MANY_BAD, _MANY_SAME, _MUCH_CROSSING = 0.2, 0.05, 0.99, 0.2


def audit_config(project: Project) -> Json:
    """All of the config that the result of `audit` depends on, apart from the records and the tokenizers."""
    return {
        "task": {"labels": project.task.labels, "kind": project.task.kind, **_rare_of_task(project)},
        "slices": project.data.slice is not None,
        "views": {
            name: view.model_dump(mode="json", exclude_defaults=True, exclude={"windows": {"pool"}})
            for name, view in project.views.items()
        },
        "leaks": [check.name for check in leak_checks(project)],
        "seed": project.seed,
        **({"against": Path(project.data.against).name} if project.data.against else {}),
        **({"near": near.as_fingerprint()} if (near := project.data.near) else {}),
        **project.data.model_dump(include={"contained"}, exclude_defaults=True),
    }


def audit(project: Project, records: Path, folder: Path, *, tokenizers: Mapping[str, Path] | None = None) -> None:
    """Write `audit.json` into `folder`, about the records folder that `prepare` made.

    It holds rows, duplicates, junk, pool_overlaps, card_overlaps, junk_rules and contained (where there are any),
    near_duplicates and near_leaks (with `data.near`, see `near_findings`), against (with `data.against`, see
    `compare_records`), uncovered_slices, balance, leaks, leak_rows
    (the figure of the gate) with leak_examples (test to its first ids), tokenizer, token_rows (rows measured per
    split), tokens, histograms, unread_share, unread_fields (where there are any), same_text_share, warnings; no times,
    no absolute paths.

    Args: tokenizers: view to `tokenizer.json` for the token figures; views without one count words and signs.
    Raises: UserError for a tokenizer that cannot be read, or a pool file without any column of a view's side.
    """
    ledger = Ledger.load(records)
    _require_text(project, ledger)
    write_json(folder / AUDIT_FILE, _figures(project, records, ledger, tokenizers or {}))


def _figures(project: Project, records: Path, ledger: Ledger, tokenizers: Mapping[str, Path]) -> Json:
    names = splits(records)
    tokens = TokenFigures(project, tokenizers, sum(min(count_records(records, split), SAMPLE_ROWS) for split in names))
    surveys = [_survey(project, records, split, tokens) for split in names]
    shared = overlaps([survey.checks for survey in surveys])
    leaked = leaked_rows(shared)
    found: Json = {
        "rows": ledger.summary(),
        "duplicates": _dropped(ledger, _duplicates(project)),
        "junk": _dropped(ledger, junk.junk_reasons(ledger)),
        "balance": _balance(project, surveys),
        "leaks": [entry for overlap in shared for entry in overlap.entries()],
        "leak_rows": sum(map(len, leaked.values())),
        **tokens.as_json(),
    }
    if leaked:
        found["leak_examples"] = {test: ids[:EXAMPLES] for test, ids in leaked.items()}
    found |= near_findings(ledger, shared, records)
    if rules := junk.rule_counts(ledger):
        found["junk_rules"] = rules
    if cards := shared_rows.card_overlaps(ledger):
        found["card_overlaps"] = cards
    if held := contained(read_object(records / OVERLAPS_FILE), project.data.contained):
        found["contained"] = held
    if shared_pools := _pool_overlaps(ledger):
        found["pool_overlaps"] = shared_pools
    if (old := old_records(project)) is not None:
        found["against"] = {"name": Path(str(project.data.against)).name, **compare_records(records, old)}
    if uncovered := uncovered_slices(found["balance"]["slices"]):
        found["uncovered_slices"] = uncovered
    if project.task.rare is not None:
        found["rare"] = _rare(project.task.rare, ledger)
    found["warnings"] = [*_missing_columns(ledger), *_missing_pairs(ledger), *_warnings(project, found, shared)]
    return found


def _require_text(project: Project, ledger: Ledger) -> None:
    """Check that each pool file has a column for every side of every view, also of a view newer than the records.

    Raises: UserError naming the file and the sides.
    """
    for source, account in ledger.accounts.items():
        for file, missing in account.missing_columns.items():
            if sides := sides_without_column(project, missing):
                found = f"{', '.join(sides)}; missing columns: {', '.join(missing)}"
                do = "add the columns, or take the view out"
                raise UserError("no text for a side of a view", where=f"data.{source}: {file}", found=found, do=do)


@dataclass
class _Survey:
    """What one pass over a split gathers: its leak checks and its counts."""

    split: str
    checks: SplitChecks
    classes: Counter[int]
    slices: Counter[str]


def _survey(project: Project, folder: Path, split: str, tokens: TokenFigures) -> _Survey:
    """Args: tokens: measure a sample of at most 20,000 rows by hash, whose texts are held no longer."""
    objective = project.task.space.objective
    survey = _Survey(split, SplitChecks(split, project), Counter(), Counter())

    def seen(advance: Advance) -> Iterator[Record]:
        for count, record in enumerate(iter_records(folder, split), 1):
            if count % EVERY == 0:
                advance(count)
            survey.checks.add(record)
            survey.slices[record.slice or _NO_SLICE] += 1
            if record.target is not None:
                survey.classes.update(objective.gold_classes(record.target))
            yield record

    with progress(f"comparing {split}", count_records(folder, split)) as advance:
        rows = seen(advance)
        sample = heapq.nsmallest(SAMPLE_ROWS, rows, key=lambda record: unit(project.seed, "tokens", record.id))
    tokens.add(split, sample)
    return survey


def _balance(project: Project, surveys: list[_Survey]) -> Json:
    labels = project.task.labels
    classes = {
        survey.split: {label: survey.classes[index] for index, label in enumerate(labels)}
        for survey in surveys
        if not survey.split.startswith("pool.")
    }
    slices = {survey.split: dict(sorted(survey.slices.items())) for survey in surveys} if project.data.slice else {}
    return {"classes": classes, "slices": slices}


def _rare_of_task(project: Project) -> Json:
    return {} if project.task.rare is None else {"rare": project.task.rare.as_json()}


def _rare(rare: Rare, ledger: Ledger) -> Json:
    """The rare classes with their training rows, what became of them, and their rows by source."""
    rows = {source: dict(sorted(account.rare.items())) for source, account in ledger.accounts.items() if account.rare}
    return {**rare.as_json(), "rows": rows}


def _dropped(ledger: Ledger, reasons: tuple[str, ...]) -> Json:
    counts = ledger.summary()["dropped"]
    rows = {reason: count for reason, count in counts.items() if reason in reasons}
    return {"rows": sum(rows.values()), "by_reason": rows, "examples": ledger.examples(reasons)}


def _missing_columns(ledger: Ledger) -> list[str]:
    warnings = []
    for source, account in ledger.accounts.items():
        if names := {name for missing in account.missing_columns.values() for name in missing}:
            warnings.append(f"{source}: some file has no column {', '.join(sorted(names))}")
    return warnings


def _missing_pairs(ledger: Ledger) -> Iterator[str]:
    for source, account in ledger.accounts.items():
        # Exact ones are made by default, and are there only where both sides have a key or title in common.
        asked = {kind: count for kind, count in account.missing_pairs.items() if kind != "exact"}
        kinds = ", ".join(f"{count} {kind}" for kind, count in asked.items())
        if kinds:
            yield f"{source}: pairs are asked for that no right sides are there for: {kinds}"


def _warnings(project: Project, found: Mapping[str, Any], shared: list[Overlap]) -> list[str]:
    rows, warnings = found["rows"], [*contained_warnings(found.get("contained", []))]
    on_purpose = {
        *_duplicates(project),
        *filter(junk.is_junk, rows["dropped"]),
        "not_sampled",
        "no_neighbour",
        NEAR,
        "crosses_split",
        *shared_rows.REASONS,
        *_HELD_OUT,
        RARE,
    }
    warnings += [*_idle_pools(found), *_fewer_pairs(project, rows["by_source"])]
    if conflicts := rows["dropped"].get("duplicate_other_label"):
        warnings.append(f"{conflicts} rows repeat a text under another label; the first label was kept")
    for source, counts in rows["by_source"].items():
        bad = sum(count for reason, count in counts["dropped"].items() if reason not in on_purpose)
        if (lost := counts["dropped"].get("crosses_split", 0)) and lost >= _MUCH_CROSSING * counts["read"]:
            warnings.append(_crossing(source, lost, counts))
        warnings += _missed_shares(project, source, counts)
        if bad > _MANY_BAD * counts["read"]:
            warnings.append(f"{source}: {bad} of {counts['read']} rows are in quarantine")
    warnings += shared_rows.shared_warnings(project, found, shared)
    warnings += [*_still_rare(found), *_uncovered(found), *_unchanged(found)]
    warnings += _absent_classes(found["balance"]["classes"])
    for overlap in shared:
        if overlap.reuses_ids():
            pair = f"{overlap.a} and {overlap.b}"
            warnings.append(
                f"{pair} share ids under different texts: if ids are unique within a file only, set data.id: null"
            )
    for view, share in found["unread_share"].items():
        if share > _MUCH_UNREAD:
            warnings.append(f"views.{view}: {share:.0%} of the tokens are never read; raise max_tokens or use windows")
    for view, fields in found.get("unread_fields", {}).items():
        listed = ", ".join(f"{path} ({share:.0%})" for path, share in fields.items())
        do = "put them before the long ones, or raise max_tokens"
        warnings.append(f"views.{view}: fields of which nothing is read in most of their rows: {listed}; {do}")
    if found["same_text_share"] > _MANY_SAME and _differ(project):
        warnings.append("document and card render the same text in nearly every row: the teacher has no richer view")
    return warnings


def _still_rare(found: Mapping[str, Any]) -> Iterator[str]:
    """That the class which rare ones were merged into is as rare itself."""
    rare = found.get("rare")
    if rare is None or rare["into"] == DROP or not rare["classes"]:
        return
    rows = found["balance"]["classes"]["train"][rare["into"]]
    if rows < rare["under"]:
        yield f"'{rare['into']}' has {rows} training rows with all rare classes in it, under {rare['under']} itself"


def _uncovered(found: Mapping[str, Any]) -> Iterator[str]:
    for source, slices in found.get("uncovered_slices", {}).items():
        listed = ", ".join(f"{name} ({rows} rows)" for name, rows in slices.items())
        yield f"{source}: no training row is of the slice {listed}: no label covers it"


def _unchanged(found: Mapping[str, Any]) -> Iterator[str]:
    against = found.get("against", {"identical": []})
    for old, new in against["identical"]:
        yield f"{new} holds the same texts as {old} of {against['name']}: if they are meant to differ, they do not"


def _absent_classes(classes: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """One warning for each split that has rows but lacks a class. Args: classes: split to rows of each class."""
    for split, counts in classes.items():
        absent = [label for label, count in counts.items() if not count]
        if not absent or len(absent) == len(counts):
            continue
        named, of_test = ", ".join(absent), split.startswith("test")
        most = f"macro F1 counts it as 0 there and is at most {1 - len(absent) / len(counts):.1%}"
        cost = {"train": "no model learns it", "valid": "no threshold can be chosen for it"}.get(split, most)
        cost = "it is learnt of other rows" if is_extra(split) else cost
        where = {"train": "training", "valid": "validation"}.get(split, split)
        yield (
            f"no {where} row has the label {named}: {cost}" if not of_test else f"{split} has no row of {named}: {cost}"
        )


def _duplicates(project: Project) -> tuple[str, ...]:
    """Reasons that a row is dropped for because another one is like it."""
    return (*DUPLICATES, *(f"in_pool.{name}" for name in project.data.pool))


def _pool_overlaps(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Pool source to the splits that have rows of it already, to how many; only sources with such rows."""
    found = {
        source: {
            reason.removeprefix("in_"): count for reason, count in account.dropped.items() if reason.startswith("in_")
        }
        for source, account in ledger.accounts.items()
        if source.startswith("pool.")
    }
    return {source: shared for source, shared in found.items() if shared}


def _idle_pools(found: Mapping[str, Any]) -> list[str]:
    """The pool sources of which nothing is left."""
    by_source, overlaps = found["rows"]["by_source"], found.get("pool_overlaps", {})
    shared = {
        source: ", ".join(f"{rows} in {other}" for other, rows in own.items()) for source, own in overlaps.items()
    }
    for source, near in found.get("near_duplicates", {}).items():
        if by_source[source]["dropped"].get(NEAR):
            shared[source] = ", ".join(filter(None, [shared.get(source), f"{near['rows']} near duplicates"]))
    idle = [source for source in shared if not by_source[source]["kept"]]
    return [f"{source} adds no rows, of {by_source[source]['read']} read: {shared[source]}" for source in idle]


def _fewer_pairs(project: Project, by_source: Mapping[str, Json]) -> Iterator[str]:
    """The pools of made pairs that have fewer rows than they are to have, with what was left out."""
    for name, source in project.data.pool.items():
        counts = by_source.get(f"pool.{name}")
        if source.pairs is None or source.rows is None or counts is None or counts["kept"] >= source.rows:
            continue
        held = sum(counts["dropped"].get(reason, 0) for reason in _HELD_OUT)
        why = f"; {held} sides belong to test or validation rows and make none" if held else ""
        yield f"pool.{name}: {source.rows} rows are asked for, {counts['kept']} pairs can be made{why}"


def _crossing(source: str, lost: int, counts: Json) -> str:
    """What splitting by keys has dropped, and the shares of what remains."""
    left = ", ".join(f"{split} {rows} ({rows / counts['kept']:.0%})" for split, rows in counts["kept_in"].items())
    dropped = f"{lost} of {counts['read']} rows ({lost / counts['read']:.0%}) are dropped"
    why = "as their keys come to different parts of the split"
    return f"{source}: {dropped}, {why}; left: {left}. One key in data.keys, or smaller shares, drop fewer"


def _missed_shares(project: Project, source: str, counts: Json) -> Iterator[str]:
    """That a part which was made of a source is far from the share that is asked for."""
    asked = {KEY_TEST: project.data.split.test, "valid": project.data.split.valid}
    for split in [split for split in asked if split in counts["kept_in"] and split != source]:
        share = counts["kept_in"][split] / counts["kept"]
        if is_far(share, asked[split]):
            why = "what belongs together stays in one part, and a few large keys leave no better split"
            yield f"{split}: {share:.0%} of the rows of {source}, {asked[split]:.0%} are asked for; {why}"


def _differ(project: Project) -> bool:
    document, card = project.views["document"], project.views["card"]
    return (document.left, document.right) != (card.left, card.right)
