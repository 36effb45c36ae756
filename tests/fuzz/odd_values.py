"""Values that files hold by accident or by malice: as Python values, as JSON text, as bytes."""

from __future__ import annotations

import datetime
import decimal
import json
import random
from typing import Any

LONE = "\ud83d"
TEXTS = [
    *(
        "",
        " ",
        "\t",
        "ёж",
        "ЁЖ",
        "е\u0308ж",
        "a\u200bb",
        "\u202eabc",
        "\x00",
        "\x1f",
        "\x85",
        "\u2028",
        "\ufeff",
        "\uffff",
    ),
    *(
        LONE,
        "\udcff",
        "😀",
        "null",
        "NaN",
        "nan",
        "inf",
        "true",
        "yes",
        "1e400",
        "0x10",
        "1:30",
        "-0",
        "9" * 400,
        "[",
        "{",
    ),
    *(
        '{"a": 1}',
        '["a"]',
        '{"a": 1, "a": 2}',
        '"',
        "'",
        '""',
        '"open',
        "a,b;c\td",
        "a\r",
        "a\nb",
        "\\",
        "=1+1",
        "<b>",
        "%s",
    ),
    *("слово " * 300, "x" * 5000, "а́" * 200, "../x", "/etc/passwd", "~", "a/b", "C:\\", "кл" * 60, "\x1b[31m"),
]
NUMBERS = [0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e308, 10**20, 2**63, 10**400, float("nan"), float("inf"), -float("inf")]
OBJECTS = [None, True, False, [], {}, [[]], {"": ""}, {"a": {"a": {"a": None}}}, [None, 1, "x"], [{"a": 1}], {"a": []}]
STAMPS = [
    datetime.date(1, 1, 1),
    datetime.datetime(9999, 12, 31, 23, 59),
    datetime.time(1, 2),
    datetime.timedelta(days=99999),
    decimal.Decimal("1.50"),
    b"",
    b"\xff\x00",
]


def value(rng: random.Random, depth: int = 2) -> Any:
    """Any JSON value, also such that JSON has no form for (NaN, infinity, halves of surrogate pairs)."""
    kind = rng.randrange(8)
    if kind < 4:
        return text(rng)
    if kind < 6 or not depth:
        return rng.choice(NUMBERS)
    if kind == 6:
        return rng.choice(OBJECTS)
    if rng.random() < 0.5:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {text(rng)[:20]: value(rng, depth - 1) for _ in range(rng.randrange(4))}


def text(rng: random.Random) -> str:
    """A text of one or two odd ones."""
    return rng.choice(TEXTS) + (rng.choice(TEXTS) if rng.random() < 0.3 else "")


def json_line(values: Any, rng: random.Random) -> bytes:
    """JSON of a value, sometimes with what only its text can have: a key twice, thousands of digits, deep nesting."""
    line = json.dumps(values, ensure_ascii=rng.random() < 0.5)
    kind = rng.randrange(24)
    if kind == 0:
        line = line.replace(": ", ': 1, "id": ', 1)
    elif kind == 1:
        line = line.replace(": ", f': {"9" * rng.choice([30, 4299, 5000])}, "x": ', 1)
    elif kind == 2:
        depth = rng.choice([5, 90, 900, 990, 50_000])
        line = line.replace(": ", ': {"a": ' + "[" * depth + "]" * depth + '}, "y": ', 1)
    elif kind == 3:
        line = line[: rng.randrange(len(line) + 1)]
    return damaged(line.encode("utf-8", "surrogatepass"), rng)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One in ten with a byte changed, left out or put in."""
    if rng.random() > 0.1 or not data:
        return data
    at = rng.randrange(len(data))
    put = rng.choice([b"", b"\x00", b"\xff", b"\xd0", b'"', b"\r", b"\n", b"\\", b"{", b"\xef\xbb\xbf"])
    return data[:at] + put + data[at + rng.randrange(2) :]
