"""Rows that leave train and valid, because a split that they are judged on has them too; tests stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from distill.core.intake.compared_text import read_texts, text_key
from distill.core.intake.leak_check import LeakCheck, Mask
from distill.core.intake.leaks.card import SameCard
from distill.core.intake.leaks.document import SameDocument
from distill.core.intake.leaks.key import SameKey
from distill.core.intake.one_order import in_one_order
from distill.core.intake.splits import Parts, hold_out, made_parts
from distill.core.project import Project
from distill.core.records import Record

IN_TEST, CARD_IN_TEST, CARD_IN_VALID, KEY_IN_VALID = "in_test", "card_in_test", "card_in_valid", "key_in_valid"
SHARED_CARDS = (CARD_IN_TEST, CARD_IN_VALID)


@dataclass(frozen=True)
class Rule:
    """Rows of `split` that another split has too, by a kind of leak check, are dropped as `reason`.

    Attributes: valid: whether the other split is validation, else all tests. unless: rows that this kind of check finds
        there stay: they are another setting's matter.
    """

    split: str
    reason: str
    kind: type[LeakCheck]
    valid: bool = False
    unless: type[LeakCheck] | None = None


def rules(project: Project) -> list[Rule]:
    """What the project asks for, in the order in which rows are dropped.

    A whole document that a test has too is for `data.on_leak` to decide, so `data.on_card_leak` leaves it alone.
    """
    data, found = project.data, list[Rule]()
    if data.on_leak == "drop_train":
        found += [Rule(split, IN_TEST, SameDocument) for split in ("train", "valid")]
    if data.on_card_leak == "drop":
        found += [Rule(split, CARD_IN_TEST, SameCard, unless=SameDocument) for split in ("valid", "train")]
        found.append(Rule("train", CARD_IN_VALID, SameCard, valid=True))
    if data.on_valid_key == "drop":
        found.append(Rule("train", KEY_IN_VALID, SameKey, valid=True))
    return found


def separate(labelled: Parts, project: Project) -> Iterator[tuple[Rule, list[Record]]]:
    """Take rows out of `labelled`, rule by rule; what each rule dropped, which may be nothing."""
    for rule in rules(project):
        others = [records for name, records in labelled.items() if _is_other(name, rule)]
        records = labelled[rule.split]
        mask = found_among(records, others, project, rule.kind)
        if rule.unless is not None and mask.any():
            found = [record for record, out in zip(records, mask, strict=True) if out]
            mask[mask] = ~found_among(found, others, project, rule.unless)
        labelled[rule.split] = [record for record, out in zip(records, mask, strict=True) if not out]
        yield rule, [record for record, out in zip(records, mask, strict=True) if out]


def found_among(
    records: Sequence[Record], others: Sequence[Sequence[Record]], project: Project, kind: type[LeakCheck]
) -> Mask:
    """Which of the records another split has too, by one kind of leak check: bool (N,)."""
    own, found = _fed(records, project, kind), np.zeros(len(records), np.bool_)
    for rows in others:
        for check, other in zip(own, _fed(rows, project, kind), strict=True):
            found |= check.found_in(other)
    return found


def made_splits(train: Sequence[Record], project: Project) -> tuple[Parts | None, list[Record]]:
    """The splits that no file gives, made of the training source, and the rows that cross; None: all are given.

    Raises: as `made_parts`.
    """
    data = project.data
    if data.split.makes_test:
        return made_parts(train, data.split, project.seed, first_of_card(train, project))
    if data.valid is None:
        return hold_out(train, data.split.valid, project.seed, first_of_card(train, project))
    return None, []


def first_of_card(records: Sequence[Record], project: Project) -> list[str]:
    """For each record the id of the first one that reads like it on cards; its own where cards may be shared."""
    if project.data.on_card_leak != "drop":
        return [record.id for record in records]
    first, view = dict[int, str](), project.views["card"]
    cards = (text_key(*read_texts(in_one_order(record, view.swap), view)) for record in records)
    return [
        first.setdefault(card, record.id) if card else record.id for record, card in zip(records, cards, strict=True)
    ]


def _fed(records: Sequence[Record], project: Project, kind: type[LeakCheck]) -> Sequence[LeakCheck]:
    checks = kind.of(project)
    for record in records:
        for check in checks:
            check.add(record)
    return checks


def _is_other(name: str, rule: Rule) -> bool:
    return name == "valid" if rule.valid else name.startswith("test.")
