"""Labelled records for a tiny bundle, in words that its tokenizer knows; gold is drawn from its own probabilities."""

import json

import numpy as np

from export.runtime import load_bundle
from tests.export.tiny_bundle import LABELS

WORDS = "дрель наушники bosch купить цена x2 review black drill manual".split()


def labelled_rows(bundle, count=240, sharpness=0.8, seed=0):
    """Rows with a title on either side, `label`, a `shop` of every three rows and a `segment` of every other one."""
    random = np.random.default_rng(seed)
    rows = [
        {
            "id": f"r{number}",
            "product.title": " ".join(random.choice(WORDS, 3)),
            "page.title": " ".join(random.choice(WORDS, 4)),
            "shop": f"s{number // 3}",
            "segment": ("diy", "audio")[number % 2],
        }
        for number in range(count)
    ]
    logits = load_bundle(bundle, "fp32", 1, verify=False).logits(rows) * sharpness
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    for row, shares in zip(rows, chances / chances.sum(axis=1, keepdims=True), strict=True):
        row["label"] = LABELS[random.choice(3, p=shares)]
    return rows


def write_rows(path, rows):
    """The rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
