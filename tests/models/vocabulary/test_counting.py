"""Which tokens count: those of the words that the views read."""

from collections import Counter

import pytest
from tokenizers import Tokenizer

from distill.core.project import ViewConfig, Windows
from distill.core.view import View
from distill.models.vocabulary.changed import changed_tokens
from distill.models.vocabulary.counting import count_tokens
from distill.models.vocabulary.tokenizer_file import trim_tokenizer
from tests.models.vocabulary.trained import ROOTS, WORDS, word_piece

ROWS = [
    {"product.title": "дрель drilling", "page.title": "пилаing saws", "page.body": "hammers насосный " * 4},
    {"product.title": "лобзик", "page.title": "mixer 750 Вт", "page.body": "рубанокный"},
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    word_piece(WORDS).save(str(path))
    return path


def view(file, **changes):
    values = {"left": ["product.title"], "right": ["page.title"], "max_tokens": 40}
    return View("card", ViewConfig.model_validate(values | changes), file)


def tokens_of(file, *texts):
    tokenizer = Tokenizer.from_file(str(file))
    return Counter(token for text in texts for token in tokenizer.encode(text, add_special_tokens=False).ids)


def test_fields_of_all_views_count_as_often_as_they_are_read(file):
    titles = [row[name] for row in ROWS for name in ("product.title", "page.title")]
    assert count_tokens([view(file)], ROWS) == tokens_of(file, *titles)
    both = count_tokens([view(file), view(file, left=["page.title"], right=[])], ROWS)
    assert both == tokens_of(file, *titles, *(row["page.title"] for row in ROWS))


def test_text_past_what_is_read_does_not_count_but_a_cut_word_does_as_a_whole(file):
    joined = next(one + other for one in ROOTS for other in ROOTS if len(tokens_of(file, one + other)) > 2)
    words = ["hammers", "saw", "drill", joined, "пила"]
    body, inside = " ".join(words), tokens_of(file, *words[:3]).total() + 1
    rows = [{"page.body": body}]
    short = view(file, left=["page.body"], right=[], max_tokens=inside)
    assert count_tokens([short], rows) == tokens_of(file, *words[:4])
    windowed = view(
        file, left=["page.body"], right=[], max_tokens=inside, windows=Windows(stride=1, max=9).model_dump()
    )
    assert count_tokens([windowed], rows) == tokens_of(file, body)


def test_what_was_counted_reads_every_row_as_before(file, tmp_path):
    """Cuts by budgets and length included."""
    config = {"left": ["product.title"], "right": ["page.title", "page.body"], "max_tokens": 13}
    for budgets in ({}, {"page.body": 3, "page.title": 2}):
        whole = view(file, **config, budgets=budgets)
        made, kept = trim_tokenizer(Tokenizer.from_file(str(file)), count_tokens([whole], ROWS).keys(), "here")
        made.save(str(tmp_path / "tokenizer.json"))
        small = view(tmp_path / "tokenizer.json", **config, budgets=budgets)
        before, after = (one.renderer().encode_batch(ROWS) for one in (whole, small))
        for one, other in zip(before, after, strict=True):
            assert [[kept[token] for token in window.ids] for window in other.windows] == [w.ids for w in one.windows]
        assert changed_tokens(whole, small, ROWS).changed == 0


def test_tokens_and_rows_that_are_read_otherwise_are_counted(file, tmp_path):
    whole = view(file, left=["page.title"], right=[])
    made, _ = trim_tokenizer(Tokenizer.from_file(str(file)), tokens_of(file, "mixer").keys(), "here")
    made.save(str(tmp_path / "tokenizer.json"))
    small = view(tmp_path / "tokenizer.json", left=["page.title"], right=[])
    found = changed_tokens(whole, small, [{"page.title": "mixer"}, {"page.title": "mixer hammer"}, {"page.title": ""}])
    hammer = len(tokens_of(file, "hammer"))
    assert (found.rows, found.changed_rows) == (3, 1)
    assert found.tokens == 2 * len(tokens_of(file, "mixer")) + hammer and 0 < found.changed <= hammer
