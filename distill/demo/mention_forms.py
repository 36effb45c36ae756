"""Kinds of pages that are about no product but mention some, in more than one slice."""

from __future__ import annotations

from distill.demo.forms import Form

COMPARISON = Form(
    "comparison",
    False,
    0.3,
    "vs",
    ("{s} vs {q}", "{s} or {q}?", "{s} against {q}: which is better", "Compare {s} and {q}"),
    ("Which {t} is better?", "Duel of the {p}", "Head to head, part {k}", "Two {p}, one winner"),
    (
        "The {s} is cheaper, the {q} is handier.",
        "Side by side: {s} on the left, {q} on the right.",
        "We compare the {s} with {q}.",
        "Many ask us whether to take the {s} or the {q}.",
    ),
    ("Also in the field: {o}.", "We left out {o}.", "The same duel was fought by {o}.", "Close behind: {o}."),
    (
        "The {f} decides in the end.",
        "Both cost less than {n}.",
        "Points: {k} to {k}.",
        "The winner depends on your needs.",
    ),
)

ACCESSORY = Form(
    "accessory",
    False,
    0.3,
    "parts",
    ("{a} for {s}", "{s} {a}", "Spare {a}, fits {s}", "New {a} for your {s}", "{a} | {s}"),
    ("Spare {a}, article {n}", "Accessories and parts", "{a}, set of {k}", "Original {a} | {shop}"),
    (
        "This {a} fits the {s}.",
        "A new {a} for owners of the {s}.",
        "Made for the {s}, packed in pairs.",
        "The {a} replaces the one of your {s}.",
    ),
    ("It also fits {o}.", "Compatible with {o} too.", "Further models: {o}.", "Checked on {o} as well."),
    (
        "Fitting takes {k} minutes.",
        "Set of {k}, price {n}.",
        "Screws are not included.",
        "The {t} itself is not part of the offer.",
    ),
)

TOP = Form(
    "top",
    False,
    1.0,
    "best",
    (),
    ("Top {k} {p} this year", "The best {p} for every budget", "{k} {p} we like", "Best {t}? Our ranking"),
    (
        "Number one this year is the {s}.",
        "Our favourite: {s}.",
        "First place goes to the {s}, thanks to {f}.",
        "Rank {k} is held by the {s}.",
    ),
    ("The next places: {o}.", "Also on the list: {o}.", "Behind it follow {o}.", "Cheaper picks are {o}."),
    (
        "We ranked {n} {p}.",
        "Prices are from this week.",
        "Each month the list is checked again.",
        "Readers cast {n} votes.",
    ),
)

FORUM = Form(
    "forum",
    False,
    0.55,
    "forum",
    ("Anyone using the {s}?", "{s} or something else?", "Problem with {s}", "Is the {s} any good?"),
    ("What should I buy?", "Looking for a {t}, please help", "Question about {p}", "Thread {n}: which {t}?"),
    (
        "{person} writes: I think about the {s}.",
        "{person} asked whether the {s} is any good.",
        "My neighbour has the {s} and likes it.",
        "Somebody here sold me the {s} last year.",
    ),
    ("{person} answers: take {o}.", "Replies named {o}.", "Others voted for {o}.", "{person} had trouble with {o}."),
    ("Last reply {k} days ago.", "This thread is closed.", "{n} people read this.", "Please use the search first."),
)

NEWS = Form(
    "news",
    False,
    0.5,
    "news",
    ("{b} presents the {s}", "{s}: {b} cuts the price", "{b} recalls nothing, says {s} is safe", "{b} and its {s}"),
    ("{b} opens a plant in {city}", "News from {b}", "{b} changes its prices", "{b} reports a good year"),
    (
        "At the fair in {city} the company showed the {s}.",
        "{b} said that the {s} sells well.",
        "Among the plans is a successor of the {s}.",
        "The figures were helped by the {s}.",
    ),
    (
        "The report names {o} too.",
        "Rivals with {o} were not pleased.",
        "Shops still hold {o}.",
        "Next to it stood {o}.",
    ),
    (
        "Shares rose by {k} percent.",
        "{person} leads the company since {month}.",
        "{n} people work there.",
        "The plant makes {p}.",
    ),
)

CATEGORY = Form(
    "category",
    False,
    1.0,
    "c",
    (),
    ("{p}: catalogue", "All {p} | {shop}", "{p} in {city}", "{shop}: {p}, page {k}"),
    ("Popular here: {s}.", "New in this section: {s}.", "On this page: {s}.", "Often chosen: {s}."),
    ("Further entries: {o}.", "Then {o}.", "Also listed: {o}.", "More on the shelf: {o}."),
    ("{n} results, sorted by price.", "Filter by {f} or {g}.", "Show {k} per page.", "All {p} at a glance."),
)

DEALS = Form(
    "deals",
    False,
    0.8,
    "deals",
    ("{s} and more: deals of the day", "Deal alarm: {s}", "Price drop: {s} and others"),
    ("Deals of the week", "Sale digest, {month}", "Save up to {k} percent on {p}", "{k} offers that end tonight"),
    ("The {s} is down to {n}.", "Half price: {s}.", "Today only: {s} for {n}.", "Coupon for the {s}."),
    ("Also reduced: {o}.", "Further deals: {o}.", "Ending soon: {o}.", "Cheaper than ever: {o}."),
    (
        "Codes end at midnight.",
        "We may earn a small fee.",
        "{n} readers liked this.",
        "Prices were checked this morning.",
    ),
)
