"""Pages that do not belong in a pool of product pages."""

from __future__ import annotations

import random
from typing import Any

from distill.demo.wording import wording

Texts = dict[str, Any]


def dead_page(rng: random.Random) -> Texts:
    """An error, parked, robot-check or cookie page."""
    page = rng.choice(wording().junk.dead)
    return {"title": page.title, "body": page.body.format(number=rng.randint(10, 9999))}


def untitled_page(rng: random.Random) -> Texts:
    """A page without title, its body left as it is."""
    return {"title": rng.choice(("", "", " "))}


def spam_page(rng: random.Random) -> Texts:
    """A body that repeats a few words many times."""
    phrase = " ".join(rng.sample(wording().junk.spam, 2))
    return {"title": f"{phrase} {rng.randint(1, 999)}", "body": " ".join([phrase] * rng.randint(30, 60))}


def off_topic_page(rng: random.Random) -> Texts:
    """A page about food, stars, games, sport or, in Russian, the news of a town."""
    found = rng.choice(wording().junk.off_topic)
    topic, number = rng.choice(found.topics), rng.randint(3, 500)
    templates = (rng.choice(found.titles), *rng.choices(found.sentences, k=8))
    title, *sentences = [template.format(topic=topic, number=number) for template in templates]
    return {"title": title, "url": f"/{found.path}/{rng.randint(1, 99999)}", "body": " ".join(sentences)}
