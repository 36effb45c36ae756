"""How the tests read what a page says, apart from how the generator wrote it."""

import re
from itertools import islice
from random import Random

from distill.demo.pairs import pairs


def sample(part, rows, seed=1):
    """The pairs of a labelled file as `generate` makes them."""
    return list(islice(pairs(part, Random(f"{part} {seed}")), rows))


def position(text, name):
    """Number of words before the series and code of a product in a text or address, None where it is not named."""
    found = re.search(
        rf"(?<![\w])({re.escape(name.short)}|{re.escape(name.short.replace(' ', '-'))})(?![\w-])", text, re.I
    )
    return len(text[: found.start()].split()) if found else None


def on_card(page, name):
    """Whether title or address of a page names a product."""
    return position(page.title, name) is not None or position(page.url, name) is not None


def document(pair):
    """All text of the document view as one string."""
    row = pair.row()
    product, page = row["product"], row["page"]
    parts = (product["title"], product["subtitle"], product["defin"], page["title"], page["url"], page["body"])
    return " ".join(parts)
