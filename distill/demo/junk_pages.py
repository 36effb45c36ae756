"""Pages that have no business in a pool of product pages, and what they say."""

from __future__ import annotations

import random
from typing import Any

Texts = dict[str, Any]

# Pages that a crawler gets instead of the one that it asked for: title and body.
_DEAD = (
    ("404 Not Found", "The page that you asked for does not exist or has moved."),
    ("Page not found", "Sorry, we could not find this page. Try the search or go back to the start."),
    ("Access denied", "You do not have the right to see this page. Reference number {n}."),
    ("Just a moment...", "We check that your browser is safe. This takes a few seconds. Ray {n}."),
    ("Are you a robot?", "Please tick the box and choose all pictures with a traffic light."),
    ("This domain is for sale", "The owner of this domain has parked it. Make an offer from {n} on."),
    ("Before you continue", "We and {n} partners store cookies on your device. Accept all or manage settings."),
)

_SPAM = ("buy cheap online", "best price discount", "free free bonus", "cheap original sale", "order now click here")

# Off-topic pages: path, titles, subjects and sentences about a subject.
_OFF_TOPIC: tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "recipes",
        ("{x} the easy way", "Recipe: {x}", "{x} for four"),
        ("Lentil soup", "Apple pie", "Mushroom risotto", "Lemon cake", "Potato gratin", "Tomato salad"),
        ("Chop the onions and fry them.", "{x} needs {n} minutes in the oven.", "Season with salt.", "Serves {n}."),
    ),
    (
        "horoscope",
        ("Horoscope for {x}", "{x}: your week", "{x} and love"),
        ("Aries", "Taurus", "Gemini", "Leo", "Virgo", "Libra", "Pisces"),
        ("{x} should rest this week.", "Lucky number {n}.", "An old friend writes.", "Venus favours {x}."),
    ),
    (
        "casino",
        ("{x}: bonus of {n}", "Play {x} now", "{x} with {n} free spins"),
        ("Roulette", "Blackjack", "Poker", "Slots", "Baccarat"),
        ("Win up to {n} today.", "{x} is open day and night.", "Sign up and spin.", "The bonus ends soon."),
    ),
    (
        "football",
        ("{x} win in the last minute", "{x}: line-up and score", "Transfer: {x} sign a striker"),
        ("Rovers", "United", "Wanderers", "Athletic", "Rangers"),
        ("The goal fell in minute {n}.", "{x} lead the table.", "{n} thousand fans came.", "The coach was pleased."),
    ),
    (
        "novosti",
        ("{x}: новости дня", "Что известно о событии: {x}", "{x}, подробности"),
        ("Погода на выходные", "Ремонт моста", "Городской праздник", "Курс валют", "Новый парк"),
        ("Об этом сообщили в мэрии.", "{x} ждет горожан.", "Работы займут {n} дней.", "Следите за нашими новостями."),
    ),
)


def dead_page(rng: random.Random) -> Texts:
    """An error, parked, robot-check or cookie page."""
    title, body = rng.choice(_DEAD)
    return {"title": title, "body": body.format(n=rng.randint(10, 9999))}


def untitled_page(rng: random.Random) -> Texts:
    """A page without title, its body left as it is."""
    return {"title": rng.choice(("", "", " "))}


def spam_page(rng: random.Random) -> Texts:
    """A body that repeats a few words many times."""
    phrase = " ".join(rng.sample(_SPAM, 2))
    return {"title": f"{phrase} {rng.randint(1, 999)}", "body": " ".join([phrase] * rng.randint(30, 60))}


def off_topic_page(rng: random.Random) -> Texts:
    """A page about food, stars, games, sport or, in Russian, the news of a town."""
    path, titles, subjects, sentences = rng.choice(_OFF_TOPIC)
    subject, number = rng.choice(subjects), rng.randint(3, 500)
    fill = [template.format(x=subject, n=number) for template in (rng.choice(titles), *rng.choices(sentences, k=8))]
    return {"title": fill[0], "url": f"/{path}/{rng.randint(1, 99999)}", "body": " ".join(fill[1:])}
