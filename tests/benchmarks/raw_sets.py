"""Small made-up files in the formats of the public data sets."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

TOPICS = {"business": "bank", "entertainment": "film", "politics": "vote", "sport": "goal", "tech": "phone"}
RETWEET = "RT @anna: Сбербанк  снова не работает!!! https://t.co/x1"
POST = "сбербанк снова не работает"


def write(path: Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def requests(split, count):
    return [
        {"id": f"{split}-{n}", "text": f"{split} request {n}", "label": ("pto_used", "yes")[n % 2], "split": split}
        for n in range(count)
    ]


def searches(split, count):
    return [
        {
            "id": f"{split}-{n}",
            "left": {"query": f"{split} screw {n // 3}"},
            "right": {"title": f"Box {n % 40} of screws", "product_uid": str(n % 40)},
            "score": 2.0,
            "label": n % 3,
            "group": f"{split} screw {n // 3}",
            "split": split,
        }
        for n in range(count)
    ]


def posts(split, count):
    return [
        {
            "id": f"{split}-{n}",
            "left": {"entity": "sberbank"},
            "right": {"text": f"{split}: мнение номер {n}"},
            "label": str(n % 3 - 1),
            "domain": "banks",
            "split": split,
        }
        for n in range(count)
    ]


def news(split, count):
    made = []
    for n in range(count):
        label = list(TOPICS)[n % 5]
        title = f"{TOPICS[label]} story {split} {n}"
        body = " ".join([TOPICS[label], *(f"word{(n * step) % 17}" for step in range(25))])
        made.append({"id": f"{split}-{n}", "title": title, "text": f"{title}\n{body}", "label": label, "split": split})
    return made


def wire(count):
    return [
        {"id": f"wire-{n}", "source": "wire", "title": f"OIL PRICE {n}", "text": " ".join(["oil"] * 20 + [str(n)])}
        for n in range(count)
    ]


def write_requests(data: Path) -> None:
    """More rows than become gold; one of train and one of validation are also in test."""
    write(data / "clinc150" / "train.jsonl.gz", [*requests("train", 3050), {**requests("test", 1)[0], "id": "leak"}])
    write(data / "clinc150" / "valid.jsonl", [*requests("valid", 30), {**requests("train", 8)[7], "id": "again"}])
    write(data / "clinc150" / "test.jsonl.gz", [{**row, "text": row["text"].upper()} for row in requests("test", 40)])


def write_searches(data: Path) -> None:
    for split, count in (("train", 4100), ("valid", 30), ("test", 60)):
        write(data / "home_depot_search" / f"{split}.jsonl.gz", searches(split, count))


def write_posts(data: Path) -> None:
    """A post of test is a retweet in train, and one of train is in validation."""
    train, valid, test = posts("train", 2050), posts("valid", 30), posts("test", 40)
    train[4]["right"]["text"], test[2]["right"]["text"] = RETWEET, POST
    valid[1]["right"]["text"] = train[9]["right"]["text"] + "!"
    for split, rows in (("train.jsonl.gz", train), ("valid.jsonl", valid), ("test.jsonl", test)):
        write(data / "ru_sentirueval2016" / split, rows)


def write_news(data: Path, train=60, valid=40, test=60, pool=40) -> None:
    """The pool's last rows are too short, or have no title."""
    for split, count in (("train", train), ("valid", valid), ("test", test)):
        write(data / "bbc_news" / f"{split}.jsonl.gz", news(split, count))
    bad = [{"id": "short", "title": "A", "text": "two words"}, {"id": "bare", "title": "", "text": "oil " * 30}]
    write(data / "pool_text" / "reuters21578.jsonl.gz", [*wire(pool), *bad])
