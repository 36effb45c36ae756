"""Labels that training cannot do without: at least two in train, and none in evaluation that train lacks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from distill.core.errors import UserError
from distill.core.project import Task
from distill.core.records import Record

Places = dict[tuple[str, int], str]


def note_places(places: Places, source: str, record: Record, place: str) -> None:
    """Remember the first place of each label of a source."""
    for index in _classes(record):
        places.setdefault((source, index), place)


def require_labels(
    labelled: Mapping[str, Sequence[Record]], task: Task, places: Places, losses: Mapping[str, str]
) -> None:
    """Check that a classifier can be trained and tested on the splits.

    Args: labelled: split to records. places: from `note_places`, under the source that the rows came from. losses:
        source to what was dropped of it, which may be the reason.
    Raises: UserError when train has one label only, or naming split, label, file and row of a label that train lacks.
    """
    known = {index for record in labelled["train"] for index in _classes(record)}
    if _constant(labelled["train"], task):
        names = ", ".join(task.labels[index] for index in sorted(known)) or "none"
        found, do = _after(losses.get("train", ""), names), "give training rows of at least two labels"
        raise UserError("all training rows have the same label", where="data.train", found=found, do=do)
    for split, records in labelled.items():
        for record in records:
            for index in _classes(record):
                if index not in known:
                    place = places.get((split, index)) or places["train", index]
                    raise _unseen(split, place, _after(losses.get("train", ""), task.labels[index]))


def _classes(record: Record) -> list[int]:
    assert record.target is not None
    return [int(index) for index in record.target.nonzero()[0]]


def _constant(records: Sequence[Record], task: Task) -> bool:
    """Whether all rows have the same answer: the same most voted label, or the same set of labels."""
    objective = task.space.objective
    answers: set[Hashable] = set()
    for record in records:
        assert record.target is not None
        answers.add(objective.gold_answer(record.target))
        if len(answers) > 1:
            return False
    return True


def _unseen(split: str, place: str, found: str) -> UserError:
    do = "add training rows with this label, take it out of the evaluation files, or let task.rare merge or drop it"
    return UserError(f"{split} has a label that train lacks", where=place, found=found, do=do)


def _after(losses: str, found: str) -> str:
    """What was found, after what training lost."""
    return f"train {losses}; left: {found}" if losses else found
