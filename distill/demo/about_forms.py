"""Kinds of pages that are about their subject, in more than one slice."""

from __future__ import annotations

from distill.demo.forms import Form

_SIMILAR = (
    "Similar items: {o}.",
    "Customers also looked at {o}.",
    "Often compared with {o}.",
    "People who viewed this also viewed {o}.",
    "Other {p} in this price range: {o}.",
    "Not sure? Have a look at {o}.",
    "Sold out near you? Alternatives are {o}.",
)

SHOP = Form(
    "shop",
    True,
    0.25,
    "p",
    ("Buy {s} online", "{s} | {shop}", "{s} price and delivery", "{s}, {f}", "Order {s} today", "{s} at {shop}"),
    ("Product details | {shop}", "Item {n}", "Your selection at {shop}", "{t}, article {n}", "Product page {n}"),
    (
        "Here you can buy the {s} with {f}.",
        "You are looking at the {s}, a {t} with {f} and {g}.",
        "The {s} is in stock and ships from {city} within {k} days.",
        "This page shows the {s}.",
        "Order the {s} before noon and it leaves our store today.",
    ),
    _SIMILAR,
    (
        "Price today {n}, delivery is free from {n} on.",
        "Add to basket or pay in {k} parts.",
        "Only {k} pieces left in {city}.",
        "In the box: the {t}, a {a} and a short guide.",
    ),
)

REVIEW = Form(
    "review",
    True,
    0.25,
    "review",
    ("{s} review", "{s} tested: is it worth it?", "Our verdict on the {s}", "{s}: {k} weeks later", "Review: {s}"),
    ("Review of the week", "Tested: is it worth the money?", "Our verdict after {k} weeks", "A {t} on the test bench"),
    (
        "For {k} weeks we used the {s} every day.",
        "Today the {s} is on our table.",
        "We bought the {s} ourselves and put it to work.",
        "The {s} promises {f}, so we tried it out.",
        "In this test the {s} had to show what it can do.",
    ),
    (
        "Readers also compared it with {o}.",
        "In the same class stand {o}.",
        "We had {o} here before, for comparison.",
        "Against {o} it holds its own.",
        "Other tests on this site: {o}.",
        "If it is not for you, look at {o}.",
    ),
    (
        "The {f} convinced us, the price less so.",
        "Plus: {f}. Minus: the thin manual.",
        "Our score: {k} out of ten.",
        "After {k} weeks nothing rattles.",
    ),
)

MANUAL = Form(
    "manual",
    True,
    0.25,
    "support",
    ("{s} user manual", "{s} support", "How to use the {s}", "{s}: instructions and safety", "Manual for {s}"),
    ("User manual, pages 1 to {n}", "Support article {n}", "Instructions and safety notes", "Help centre: first steps"),
    (
        "This manual describes the {s}.",
        "Thank you for choosing the {s}.",
        "Read these pages before you use the {s} for the first time.",
        "How to use the {s}: unpack it, check the parts and keep this guide.",
        "These instructions belong to the {s} with {f}.",
    ),
    (
        "Manuals of other {p}: {o}.",
        "Support pages people also open: {o}.",
        "See also the guides for {o}.",
        "This file does not replace the manuals of {o}.",
    ),
    (
        "Step {k}: wait until the light is off.",
        "Clean it with a dry cloth only.",
        "Keep the {a} out of reach of children.",
        "The warranty lasts {k} years.",
    ),
    narrow=True,
)

SPECS = Form(
    "specs",
    True,
    0.25,
    "specs",
    ("{s} specifications", "{s} data sheet", "{s}: technical data", "{s}, all features"),
    ("Technical data", "Data sheet {n}", "All features in one table", "Specifications of this {t}"),
    (
        "Model: {s}.",
        "Data sheet of the {s}: {f}, {g}.",
        "All figures below are those of the {s}.",
        "The table lists what the {s} offers.",
    ),
    (
        "Data sheets nearby: {o}.",
        "Compare the table with {o}.",
        "Closest models: {o}.",
        "Same table for {o}.",
    ),
    (
        "Features: {f}; {g}.",
        "Weight with packaging {n} g, height {n} mm.",
        "Figures come from the maker and may change.",
        "Country of origin: see the box.",
    ),
    narrow=True,
)

VIDEO = Form(
    "video",
    True,
    0.3,
    "watch",
    ("Unboxing the {s}", "{s} hands on", "{s} first look (video)", "I bought the {s}"),
    ("Unboxing video {n}", "Look what came today", "First look and hands on", "New {t} day!"),
    (
        "In this video we open the box of the {s}.",
        "Hi all, today I unpack the {s}.",
        "Finally here: the {s} with {f}.",
        "First look at the {s}, straight out of the parcel.",
    ),
    (
        "Watch next: {o}.",
        "My older videos: {o}.",
        "You asked about {o}, those come later.",
        "In the last video we had {o}.",
    ),
    (
        "Like and subscribe.",
        "Chapters: box, parts, first run.",
        "{n} views in {k} days.",
        "Filmed in {city} by {person}.",
    ),
    narrow=True,
)
