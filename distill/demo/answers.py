"""Questions with two answers each: which one do raters prefer, A, B or neither?"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from distill.core.config import Config
from distill.demo.names import Part
from distill.demo.projects import Sizes
from distill.demo.wording import Texts, load_wording

Row = dict[str, Any]

# Numbers of models fall apart by part, so that no two files share a question.
_PLACES: dict[Part, int] = {"train": 0, "valid": 1, "test": 2, "pool": 3}
_KINDS = ("refusal", "short", "full")
_BESIDE = 0.2  # answers about another thing than is asked for, which are worth no more than a refusal
_MISTAKEN = 0.04  # labels that a rater chose wrongly
LABELS = ("A", "B", "tie")


class Answers(Config):
    """The wording of questions and answers."""

    things: Texts
    topics: Texts
    questions: dict[str, Texts]
    full: Texts
    short: Texts
    refusal: Texts


@cache
def answers_wording() -> Answers:
    """The wording, read once. Raises: UserError for a broken file."""
    return load_wording(Answers, "answers")


def answer_files(sizes: Sizes, seed: int) -> Mapping[str, list[str]]:
    """The lines of each file by its name; one file does not depend on the sizes of the others."""
    counts: dict[Part, int] = {"train": sizes.train, "valid": sizes.valid, "test": sizes.test, "pool": sizes.pool}
    return {f"{part}.jsonl": [json.dumps(row) for row in compared(part, rows, seed)] for part, rows in counts.items()}


def compared(part: Part, rows: int, seed: int) -> Iterator[Row]:
    """So many questions with two answers, no two alike; those of the pool have no label."""
    rng, seen = random.Random(f"answers {part} {seed}"), set[str]()
    while len(seen) < rows:
        row = _question(part, rng)
        if row["prompt"] not in seen:
            seen.add(row["prompt"])
            yield {"id": f"{part}-{len(seen):05d}", **row}


def _question(part: Part, rng: random.Random) -> Row:
    wording = answers_wording()
    thing, topic = rng.choice(wording.things), rng.choice(wording.topics)
    model = f"K-{4 * rng.randint(250, 24_999) + _PLACES[part]}"
    (a, worth_a), (b, worth_b) = _answer(thing, rng), _answer(thing, rng)
    label = "tie" if worth_a == worth_b else "A" if worth_a > worth_b else "B"
    row: Row = {
        "topic": topic,
        "prompt": rng.choice(wording.questions[topic]).format(thing=thing, model=model),
        "answer": {"a": a, "b": b},
    }
    chosen = rng.choice(LABELS) if rng.random() < _MISTAKEN else label
    return row if part == "pool" else {**row, "label": chosen}


def _answer(thing: str, rng: random.Random) -> tuple[str, int]:
    """An answer, and what it is worth."""
    wording, worth, beside = answers_wording(), rng.randrange(len(_KINDS)), rng.random() < _BESIDE
    named = rng.choice([one for one in wording.things if one != thing]) if beside else thing
    text: str = rng.choice(getattr(wording, _KINDS[worth]))
    return text.format(thing=named, days=rng.randint(2, 30)), 0 if beside else worth
