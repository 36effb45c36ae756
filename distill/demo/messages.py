"""Letters to a Russian shop: what each asks for is in its body, and only sometimes in its subject."""

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

# Numbers of orders and models fall apart by part, so that no two files share a subject.
_PLACES: dict[Part, int] = {"train": 0, "valid": 1, "test": 2, "pool": 3}
_TELLING = 0.5  # letters whose subject is their topic's
_MISTAKEN = 0.04  # labels that a clerk chose wrongly
_TYPOS = 0.15  # letters with one letter lost in the body


class Noun(Config):
    """A product in three cases."""

    masculine: bool = False
    nom: str
    gen: str
    acc: str


class Topic(Config):
    """What a letter may ask for; the top of `wording/messages_ru.yaml` says how."""

    subjects: Texts
    asks: Texts
    tells: Texts


class Messages(Config):
    """The wording of all letters."""

    products: tuple[Noun, ...]
    makers: Texts
    cities: Texts
    channels: Texts
    subjects: Texts
    openings: Texts
    closings: Texts
    neutral: Texts
    topics: dict[str, Topic]


@cache
def messages_wording() -> Messages:
    """The wording, read once. Raises: UserError for a broken file."""
    return load_wording(Messages, "messages_ru")


def message_files(sizes: Sizes, seed: int) -> Mapping[str, list[str]]:
    """The lines of each file by its name; one file does not depend on the sizes of the others."""
    counts: dict[Part, int] = {"train": sizes.train, "valid": sizes.valid, "test": sizes.test, "pool": sizes.pool}
    return {f"{part}.jsonl": [_line(row) for row in messages(part, rows, seed)] for part, rows in counts.items()}


def messages(part: Part, rows: int, seed: int) -> Iterator[Row]:
    """So many letters, no two with one subject; those of the pool have no label."""
    rng, seen = random.Random(f"messages {part} {seed}"), set[str]()
    while len(seen) < rows:
        row = _letter(part, rng)
        if row["message"]["subject"] not in seen:
            seen.add(row["message"]["subject"])
            yield {"id": f"{part}-{len(seen):05d}", **row}


def _letter(part: Part, rng: random.Random) -> Row:
    wording = messages_wording()
    label = rng.choice(list(wording.topics))
    topic, other = wording.topics[label], wording.topics[rng.choice([one for one in wording.topics if one != label])]
    slots = _slots(part, rng)
    subject = rng.choice(topic.subjects if rng.random() < _TELLING else wording.subjects)
    middle = [rng.choice(topic.asks), rng.choice(other.tells), rng.choice(wording.neutral)]
    rng.shuffle(middle)
    body = " ".join([rng.choice(wording.openings), *middle, rng.choice(wording.closings)]).format_map(slots)
    row: Row = {
        "channel": rng.choice(wording.channels),
        "message": {"subject": subject.format_map(slots), "body": _typed(body, rng)},
    }
    chosen = rng.choice(list(wording.topics)) if rng.random() < _MISTAKEN else label
    return row if part == "pool" else {**row, "label": chosen}


def _slots(part: Part, rng: random.Random) -> dict[str, str]:
    wording = messages_wording()
    noun, place = rng.choice(wording.products), _PLACES[part]
    ends = ("", "ся", "шёл") if noun.masculine else ("а", "ась", "шла")
    return {
        **noun.model_dump(exclude={"masculine"}),
        **dict(zip(("a", "sya", "shla"), ends, strict=True)),
        "Nom": noun.nom[0].upper() + noun.nom[1:],
        "maker": rng.choice(wording.makers),
        "city": rng.choice(wording.cities),
        "model": f"{rng.choice('АБВДК')}-{4 * rng.randint(20, 249) + place}",
        "order": str(4 * rng.randint(2_500, 24_999) + place),
        "days": str(rng.randint(2, 30)),
        "sum": str(100 * rng.randint(15, 300) + place),
    }


def _typed(text: str, rng: random.Random) -> str:
    """The text, now and then with a letter lost."""
    at = rng.randrange(len(text))
    return text[:at] + text[at + 1 :] if rng.random() < _TYPOS else text


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False)
