"""Which fields the guessed views read, so that the student reads what decides and no short field is cut off."""

import pytest

from distill.core.guessing.starter import guess
from tests.core.record_fixtures import write

LONG = "длинный отзыв о товаре " * 15


def guessed(root, lines):
    return guess([write(root / f"{name}.jsonl", lines) for name in ("train", "test")], root)


@pytest.mark.parametrize(
    ("products", "card"), [(6, ["product", "review"]), (90, ["product", "review"]), (120, ["product"])]
)
def test_the_card_has_the_text_where_its_short_fields_are_those_of_many_records(tmp_path, products, card):
    lines = [
        {"id": i, "product": f"чайник {i % products}", "review": f"{LONG}{i}", "sentiment": "абвгд"[i % 5]}
        for i in range(120)
    ]
    assert guessed(tmp_path, lines).card == (card, [])


def test_a_side_of_pairs_has_the_text_that_tells_it_apart(tmp_path):
    lines = [
        {
            "id": i,
            "label": i % 2,
            "entity": {"country": f"страна {i // 20}", "about": f"{LONG}{i // 2}"},
            "article": {"title": f"новость {i % 90}", "body": f"{LONG}{i}"},
        }
        for i in range(120)
    ]
    assert guessed(tmp_path, lines).card == (["entity.country", "entity.about"], ["article.title"])


def test_short_fields_come_first_in_their_own_order(tmp_path):
    lines = [
        {"id": i, "label": i % 2, "body": LONG * 4 + str(i), "note": f"{LONG}{i}", "title": f"ёж {i}", "by": f"я {i}"}
        for i in range(60)
    ]
    starter = guessed(tmp_path, lines)
    assert starter.document == (["title", "by"], ["note", "body"]) and starter.card == (["title", "by"], [])
    fits = guessed(tmp_path, [{**line, "body": f"{LONG}{line['id']}"} for line in lines])
    assert fits.document == (["title", "by", "body", "note"], [])
