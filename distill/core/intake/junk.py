"""Rules that drop a record as junk, each under its own reason; those of `data.junk.rules` are counted one by one.

The first rule that a row fits, and that drops, is its reason: so the ledger adds up. How many rows each rule fits is
counted beside it, whatever came first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.core.errors import UserError, unknown_name
from distill.core.files import Json
from distill.core.intake.config import Junk
from distill.core.intake.junk_rules.rule import REASONS, Counting, Hits, JunkRule
from distill.core.intake.ledger import Account, Ledger
from distill.core.intake.record_reader import Dropped, field_paths
from distill.core.intake.rows import Check, SourceReader
from distill.core.project import Project
from distill.core.records import Record

PREFIX = "junk."
EXAMPLES, EXAMPLE_CHARS = 3, 200
_FEWEST_WORDS = 20
_Fits = Callable[[Record], bool]


class JunkRules:
    """The rules of `data.junk` of a project.

    Raises: UserError for a pattern that is no regular expression, a field that no view reads, a source that is not
        there, or a rule that counts rows of a source that has none to count.
    """

    def __init__(self, project: Project) -> None:
        self._project, self._rules = project, project.data.junk.rules
        self._built_in = _built_in(project.data.junk)
        fields = field_paths(project)
        _require_known("field", project.data.junk.required, fields, "data.junk.required")
        for name, rule in self._rules.items():
            where = f"data.junk.rules.{name}"
            _require_known("field", rule.fields or [], fields, f"{where}.fields")
            _require_known("source", rule.sources or [], _sources(project), f"{where}.sources")
            self._require_countable(rule, where)

    def check(self, source: str, reader: SourceReader, files: Sequence[Path]) -> Check:
        """The check of a source's records; it raises Dropped with the reason.

        Args: reader: reads the source; its ledger takes the counts. files: of the source, read once before where a rule
            counts all rows first; none for records that are made.
        """
        rules = {name: rule for name, rule in self._rules.items() if _applies(rule, source)}
        if not rules:
            return self._check_built_in
        account = reader.account(source)
        fits = [_Fit(reason, "built-in", "drop", reason, fit) for reason, fit in self._built_in.items()]
        counted = _counted(rules, source, reader, files)
        for name, rule in rules.items():
            hits, count = rule.judge(counted.get(name)), counted.get(name)
            fits.append(_Fit(name, rule.kind, rule.action, PREFIX + name, _reading(rule, reader, hits), rule.fields))
            if count is not None:
                fits[-1].entry(account).update(count.facts())
        return _counting_check(fits, account, texts=self._project.report.texts)

    def _check_built_in(self, record: Record) -> None:
        for reason, fits in self._built_in.items():
            if fits(record):
                raise Dropped(reason)

    def _require_countable(self, rule: JunkRule, where: str) -> None:
        made = [f"pool.{name}" for name, source in self._project.data.pool.items() if source.pairs is not None]
        if rule.counting() is not None and (named := [source for source in rule.sources or [] if source in made]):
            do = "leave it out of sources; rules that read one row alone apply to it"
            what = "pairs that are made cannot be counted before they are judged"
            raise UserError(what, where=f"{where}.sources", found=", ".join(named), do=do)


def is_junk(reason: str) -> bool:
    """Whether a row was dropped by `data.junk`."""
    return reason in REASONS or reason.startswith(PREFIX)


def junk_reasons(ledger: Ledger) -> tuple[str, ...]:
    """The reasons of `data.junk` under which rows were dropped."""
    return tuple(dict.fromkeys(one for own in ledger.accounts.values() for one in own.dropped if is_junk(one)))


def rule_counts(ledger: Ledger) -> dict[str, Json]:
    """What each rule came to, in their order; none where a project declares no rules.

    `{"kind", "action", "rows", "hits", "share", "dropped", "sources": {source: {"rows", "hits", "share", "dropped",
    "examples": [{"id", "text"}], …}}}`: rows that it judged, those that it fits, and of them those that were dropped
    for it, as no rule before it dropped them.
    """
    found: dict[str, Json] = {}
    for source, account in ledger.accounts.items():
        for name, count in account.rules.items():
            entry = found.setdefault(name, {"kind": count["kind"], "action": count["action"], "sources": {}})
            own = {key: value for key, value in count.items() if key not in ("kind", "action")}
            entry["sources"][source] = {**own, "share": _share(own)}
    for entry in found.values():
        sums = {key: sum(own[key] for own in entry["sources"].values()) for key in ("rows", "hits", "dropped")}
        entry.update({**sums, "share": _share(sums)})
    return {name: entry for name, entry in found.items() if entry["hits"] or name not in REASONS}


def _share(counts: Mapping[str, int]) -> float:
    return counts["hits"] / counts["rows"] if counts["rows"] else 0.0


@dataclass(frozen=True)
class _Fit:
    """A rule at work. Attributes: reason: under which it drops. fits: whether a record is junk by it. fields: it reads;
    None: all.
    """

    name: str
    kind: str
    action: str
    reason: str
    fits: _Fits
    fields: Sequence[str] | None = None

    def entry(self, account: Account) -> Json:
        """Its counts in an account."""
        new = {"kind": self.kind, "action": self.action, "rows": 0, "hits": 0, "dropped": 0, "examples": []}
        return account.rules.setdefault(self.name, new)


def _counting_check(fits: Sequence[_Fit], account: Account, *, texts: bool) -> Check:
    entries = [fit.entry(account) for fit in fits]

    def check(record: Record) -> None:
        reason = None
        for fit, entry in zip(fits, entries, strict=True):
            entry["rows"] += 1
            if not fit.fits(record):
                continue
            entry["hits"] += 1
            if len(entry["examples"]) < EXAMPLES:
                entry["examples"].append(_example(record, fit.fields, texts=texts))
            if reason is None and fit.action == "drop":
                reason = fit.reason
                entry["dropped"] += 1
        if reason is not None:
            raise Dropped(reason)

    return check


def _example(record: Record, fields: Sequence[str] | None, *, texts: bool) -> Json:
    """A row to look at, by what the rule reads of it; by all of its fields where that is nothing."""
    if not texts:
        return {"id": record.id}
    read = [record.fields[path] for path in fields or ()]
    text = " | ".join(filter(None, read if any(read) else record.fields.values()))
    return {"id": record.id, "text": text if len(text) <= EXAMPLE_CHARS else text[: EXAMPLE_CHARS - 1] + "…"}


def _reading(rule: JunkRule, reader: SourceReader, hits: Hits) -> _Fits:
    """What gives a rule the texts that it reads of a record."""
    return lambda record: hits(_texts(rule, reader, record))


def _texts(rule: JunkRule, reader: SourceReader, record: Record) -> list[str]:
    fields = rule.fields or record.fields
    return [reader.with_lines(record, path) if rule.lines else record.fields[path] for path in fields]


def _counted(
    rules: Mapping[str, JunkRule], source: str, reader: SourceReader, files: Sequence[Path]
) -> dict[str, Counting]:
    """By name what rules that count all rows have counted; nothing without files."""
    counting = {name: one for name, rule in rules.items() if files and (one := rule.counting()) is not None}
    if counting:
        apart = reader.apart()
        for record in apart.records(source, files, []):
            for name, one in counting.items():
                one.add(_texts(rules[name], apart, record))
    return counting


def _applies(rule: JunkRule, source: str) -> bool:
    return rule.sources is None or source in rule.sources or source.partition(".")[0] in rule.sources


def _sources(project: Project) -> list[str]:
    data = project.data
    groups = {"test": list(data.test), "extra": list(data.extra), "pool": list(data.pool)}
    named = [name for group, held in groups.items() if held for name in (group, *(f"{group}.{one}" for one in held))]
    return ["train", *(["valid"] if data.valid else []), *named]


def _require_known(kind: str, names: Iterable[str], known: Sequence[str], where: str) -> None:
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known, where)


def _built_in(config: Junk) -> dict[str, _Fits]:
    """The rules that are not named, by their reasons, in the order in which they are tried."""
    patterns = [_compiled(index, pattern) for index, pattern in enumerate(config.patterns)]

    def chars(record: Record) -> int:
        return sum(map(len, record.fields.values()))

    def missing(record: Record) -> bool:
        return any(not record.fields[path] for path in config.required)

    def repeats(record: Record) -> bool:
        words = [word.lower() for text in record.fields.values() for word in text.split()] if config.repeated else []
        return len(words) >= _FEWEST_WORDS and len(set(words)) < config.repeated * len(words)

    def matches(record: Record) -> bool:
        return any(pattern.search(text) for pattern in patterns for text in record.fields.values() if text)

    fits: tuple[_Fits, ...] = (
        lambda record: chars(record) < config.min_chars,
        lambda record: chars(record) > config.max_chars,
        missing,
        repeats,
        matches,
    )
    return dict(zip(REASONS, fits, strict=True))


def _compiled(index: int, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        where = f"data.junk.patterns[{index}]"
        raise UserError("not a regular expression", where=where, found=f"{pattern}: {error}") from None
