"""The demo's files made short and easy, so that a network of random weights learns them in seconds: for other tests."""

import json
from pathlib import Path

from distill.demo.generate import Sizes, generate
from distill.demo.pairs import LABELS
from distill.demo.wording import wording

_WORDS = dict(zip(LABELS, ("catalogue", "accessories", "manual"), strict=True))


def generate_easy(folder: Path, sizes: Sizes, seed: int = 1) -> None:
    """`generate`, with bodies of one sentence and labels that the address of the page tells, on document and card.

    The pool has the same pages, junk and leaks as before.
    """
    generate(folder, seed=seed, sizes=sizes)
    for name in ("train", "valid", "test", "pool"):
        path = folder / f"{name}.jsonl"
        lines = map(easy_line, path.read_text(encoding="utf-8").splitlines())
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def easy_line(line: str) -> str:
    """A line with an easy page and, where it had one, an easy label; a broken line as it is."""
    try:
        row = json.loads(line)
    except ValueError:
        return line
    paths = {kind.path for found in wording().slices.values() for kind in found.page_kinds}
    label = LABELS[int(row["page"]["id"].partition("-w")[2]) % len(LABELS)]
    page = {**row["page"], "body": row["page"]["body"].split(". ")[0]}
    if page["url"].split("/")[1] in paths:
        page["url"] = f"/{_WORDS[label]}/{_WORDS[label]}"
    return json.dumps({**row, "page": page} | ({"label": label} if "label" in row else {}), ensure_ascii=False)
