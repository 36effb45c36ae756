"""What `distill audit` prints: rows, classes, slices, lengths, and what splits have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from distill.core.files import Json

_HEAD = 10  # width of the words at the left
_LISTED = 8  # of more classes or slices than these, only the ends are named


def audit_lines(audit: Json, max_tokens: Mapping[str, int]) -> list[str]:
    """The findings of `audit.json`, those of each kind under a word at the left; warnings are not among them.

    Args: max_tokens: of each view.
    """
    balance = audit["balance"]
    parts = {
        "rows": _rows(audit["rows"]),
        "classes": [f"{split}: {_counts(counts)}" for split, counts in balance["classes"].items()],
        "rare": list(rare_lines(audit)),
        "slices": [f"{split}: {_counts(counts)}" for split, counts in balance["slices"].items()],
        "lengths": [_lengths(audit, view, most) for view, most in max_tokens.items()],
        "leaks": list(_leaks(audit)) or ["no two splits have anything in common"],
        "cards": list(_cards(audit)),
        "pools": list(_pools(audit)),
        "near": list(near_lines(audit)),
    }
    return [line for word, lines in parts.items() for line in _under(word, lines)]


def _under(word: str, lines: Sequence[str]) -> Iterator[str]:
    for index, line in enumerate(lines):
        yield f"{'' if index else word:<{_HEAD}}{line}"


def _rows(rows: Json) -> list[str]:
    dropped = sorted(rows["dropped"].items(), key=lambda item: -item[1])
    total = f"read {rows['read']} = kept {rows['kept']} + dropped {sum(rows['dropped'].values())}"
    kept = [f"{split} {count}" for source in rows["by_source"].values() for split, count in source["kept_in"].items()]
    return [total, f"kept: {', '.join(kept)}", *(f"dropped: {count:>6} {reason}" for reason, count in dropped)]


def _counts(counts: Mapping[str, int]) -> str:
    """Each name with its rows; of many names how many they are, the rarest and the most frequent."""
    named = [f"{name or 'none'} {count}" for name, count in counts.items()]
    if len(named) <= _LISTED:
        return ", ".join(named)
    order = sorted(counts, key=lambda name: counts[name])
    rare, frequent = order[0], order[-1]
    return f"{len(named)}, from {counts[rare]} ({rare}) to {counts[frequent]} rows ({frequent})"


def rare_lines(audit: Json) -> Iterator[str]:
    """What became of the rare classes, and of how many rows in each source."""
    rare = audit.get("rare")
    if not rare:
        return
    named = [f"{label} ({rows})" for label, rows in rare["classes"].items()]
    if not named:
        yield f"no class has under {rare['under']} training rows"
        return
    what = "left out" if rare["into"] == "drop" else f"merged into {rare['into']}"
    more = f" and {len(named) - _LISTED} more" if len(named) > _LISTED else ""
    yield f"{what}, under {rare['under']} training rows: {', '.join(named[:_LISTED])}{more}"
    rows = [f"{source} {sum(counts.values())}" for source, counts in rare["rows"].items()]
    yield f"their rows: {', '.join(rows) or 'none'}"


def _lengths(audit: Json, view: str, most: int) -> str:
    splits = audit["tokens"][view].values()
    middle, high, longest = (max(split.get(q) or 0 for split in splits) for q in ("q50", "q95", "max"))
    unread = audit["unread_share"][view]
    # Before a model is chosen.
    words = audit.get("tokenizer", {}).get(view) == "words"
    unit, more = ("words and signs", "; an encoder makes more tokens of them") if words else ("tokens", "")
    return (
        f"{view}: in each split half of the rows have up to {middle} {unit}, 95% up to {high}, all up to {longest}; "
        f"max_tokens {most}, {unread:.1%} of the {unit} are never read{more}"
    )


def _pools(audit: Json) -> Iterator[str]:
    for source, others in audit.get("pool_overlaps", {}).items():
        read = audit["rows"]["by_source"][source]["read"]
        shared = ", ".join(f"{rows} are in {other} ({rows / read:.0%})" for other, rows in others.items())
        yield f"{source}: of {read} rows {shared} already, and count there"


def near_lines(audit: Json) -> Iterator[str]:
    """The near duplicates of each pool source, and near cards of splits that models are judged on, with examples."""
    for source, found in audit.get("near_duplicates", {}).items():
        done = "dropped" if "near_duplicate" in audit["rows"]["by_source"][source]["dropped"] else "kept"
        rows = f"{found['rows']} near duplicates {done} ({found['share']:.1%})"
        first = found["examples"][0]
        example = f"such as {first['id']}, like {first['like']} ({first['jaccard']})"
        largest = found["largest"][0]
        of = f"like {found['clusters']} earlier rows, {largest['rows']} of them like {largest['like']}"
        yield f"{source}: {rows}, {of}; {example}"
        if cut := found.get("not_all_compared"):
            yield f"{source}: {cut} rows share words with more rows than are compared; some near duplicates may be left"
    for leak in audit.get("near_leaks", []):
        pairs = ", ".join(f"{one['id']} like {one['like']} ({one['jaccard']})" for one in leak["examples"][:_LISTED])
        yield f"{leak['between'][0]} and {leak['between'][1]}: {pairs}"


def _cards(audit: Json) -> Iterator[str]:
    for source, lost in audit.get("card_overlaps", {}).items():
        reasons = ", ".join(f"{rows} {reason}" for reason, rows in lost["by_reason"].items())
        yield f"{source}: {reasons} dropped ({lost['share']:.1%}), such as {', '.join(lost['examples'][:_LISTED])}"


def _leaks(audit: Json) -> Iterator[str]:
    for leak in audit["leaks"]:
        first, second = leak["between"]
        counted = "counts" if leak["gate"] else "does not count"
        rows = "1 row" if leak["rows"] == 1 else f"{leak['rows']} rows"
        how = leak["kind"] if leak["kind"].startswith("near") else f"same {leak['kind']}"
        yield f"{first} and {second}, {how}: {rows} ({leak['share']:.1%}); {counted} for the leak gate"
    for test, ids in audit.get("leak_examples", {}).items():
        yield f"leaked rows of {test}: {', '.join(ids)}"
