"""From a record to token ids: frames, budgets, cuts and windows, against the tokenizer itself and brute force."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from distill.core import rendering
from distill.core.rendering import Renderer, field_text
from tests.core.conftest import TOKENIZERS

PAIR = {"left": ["product.title", "product.defin"], "right": ["page.title", "page.body"], "max_tokens": 64}
ROW = {
    "product.title": "Дрель ударная Bosch",
    "product.defin": "drill 750 Вт",
    "page.title": "купить дрель",
    "page.body": "дрельками drills 🔧 на a б",
}
NESTED = {
    "product": {"title": "Дрель ударная Bosch", "defin": "drill 750 Вт"},
    "page": {"title": "купить дрель", "body": "дрельками drills 🔧 на a б"},
}


def counted(start: int, count: int) -> str:
    """`count` words that are one token each and unlike all others."""
    return " ".join(f"w{number}" for number in range(start, start + count))


def inner(window, sides):
    """The ids of each side of a BERT window without special tokens (1 to 3 are [UNK], [CLS], [SEP])."""
    kept = [[], []][:sides]
    for token, kind in zip(window.ids, window.type_ids, strict=True):
        if token not in (2, 3):
            kept[kind].append(token)
    return kept


@pytest.mark.parametrize("right", [["page.title", "page.body"], []])
def test_uncut_ids_are_those_of_the_tokenizer(tokenizer, right):
    renderer = Renderer(PAIR | {"right": right, "max_tokens": 512}, tokenizer)
    for row in (ROW, {}, {"product.title": "только слева"}, {"page.title": "только справа"}):
        left, other = renderer.text(row)
        expected = tokenizer.encode(left, other) if right else tokenizer.encode(left)
        found = renderer.encode(row)
        assert [(w.ids, w.type_ids) for w in found.windows] == [(expected.ids, expected.type_ids)]
        assert (found.tokens, found.cut_tokens) == (len(expected.ids) - sum(expected.special_tokens_mask), 0)


def test_fields_stand_in_order_and_empty_ones_leave_no_separator(words):
    renderer = Renderer(PAIR | {"separator": " ; "}, words)
    row = {"product.title": "  дрель \n ударная ", "page.title": "", "page.body": "тело"}
    assert renderer.text(row) == ("дрель ударная", "тело")
    assert renderer.text(ROW)[0] == "Дрель ударная Bosch ; drill 750 Вт"
    turned = Renderer(PAIR | {"left": PAIR["left"][::-1]}, words)
    assert turned.text(ROW)[0] == "drill 750 Вт | Дрель ударная Bosch"


def test_nested_and_flat_rows_agree(tokenizer):
    renderer = Renderer(PAIR | {"max_tokens": 20}, tokenizer)
    assert renderer.encode(NESTED) == renderer.encode(ROW)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("  a \t б\n", "a б"),
        (7, "7"),
        (0, "0"),
        (1.5, "1.5"),
        (False, "False"),
        (["a", None, 3], "a, 3"),
        (("б",), "б"),
        ([], ""),
    ],
)
def test_values_that_are_not_text(value, text):
    assert field_text({"page": {"title": value}}, "page.title") == text
    assert field_text({"page.title": value}, "page.title") == text


@pytest.mark.parametrize("row", [{}, {"page": None}, {"page": "text"}, {"page": {"body": "x"}}, {"page": ["title"]}])
def test_a_path_that_leads_nowhere_is_empty(row):
    assert field_text(row, "page.title") == ""


def test_an_empty_record_keeps_its_frame(words):
    found = Renderer(PAIR, words).encode({})
    assert [w.ids for w in found.windows] == [[2, 3, 3]]
    assert (found.tokens, found.cut_tokens) == (0, 0)


def without_latin(**frame: str) -> Tokenizer:
    """Byte pairs of a Cyrillic alphabet without unknown token: other letters have no token at all."""
    tokenizer = Tokenizer(BPE({"<s>": 0, "</s>": 1, **{letter: n for n, letter in enumerate("дрельпила", 2)}}, []))
    tokenizer.pre_tokenizer = Whitespace()
    if frame:
        tokenizer.post_processor = TemplateProcessing(**frame, special_tokens=[("<s>", 0), ("</s>", 1)])
    return tokenizer


def test_the_frame_is_found_without_a_token_for_a_latin_letter():
    tokenizer = without_latin(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>")
    found = Renderer(PAIR, tokenizer).encode({"product.title": "дрель", "page.title": "пила aa"})
    assert found.windows[0].ids == tokenizer.encode("дрель", "пила aa").ids and len(found.windows[0].ids) == 13


def test_a_template_with_the_right_side_first_is_refused():
    tokenizer = without_latin(single="<s> $A </s>", pair="<s> $B </s> $A </s>")
    with pytest.raises(LookupError, match="1 of 2 sides in order"):
        Renderer(PAIR, tokenizer)


def test_a_tokenizer_that_reads_nothing_is_refused():
    with pytest.raises(LookupError, match="no text has a token"):
        Renderer(PAIR, Tokenizer(BPE({}, [])))


@pytest.mark.parametrize("right", [["page.title"], []])
def test_a_text_of_no_tokens_is_one_padding_token(right):
    renderer = Renderer(PAIR | {"right": right, "pad_id": 7}, without_latin())
    empty, kept = renderer.encode_batch([{}, {"product.title": "дрель"}])
    assert [(window.ids, window.type_ids) for window in empty.windows] == [([7], [0])]
    assert (empty.tokens, empty.cut_tokens) == (0, 0) and len(kept.windows[0].ids) == 5


PARTS = [*"дрелькамиdrills aбВ7,|-", "🔧", "👩‍🔧", "é", "½", "İ"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)
RENDERERS: dict[tuple[str, int], Renderer] = {}


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=TEXTS, budget=st.integers(1, 12), kind=st.sampled_from(sorted(TOKENIZERS)))
def test_a_budget_is_never_exceeded_and_every_lost_token_is_counted(text, budget, kind):
    view = {"left": ["t"], "max_tokens": 400, "budgets": {"t": budget}}
    renderer = RENDERERS.setdefault((kind, budget), Renderer(view, TOKENIZERS[kind]()))
    whole = " ".join(text.split())
    kept = renderer.text({"t": text})[0]
    tokens = [len(renderer.tokenizer.encode(part, add_special_tokens=False)) for part in (whole, kept)]
    assert whole.startswith(kept) and tokens[1] <= budget
    assert (kept == whole) == (tokens[0] <= budget) or tokens[0] == tokens[1]
    found = renderer.encode({"t": text})
    assert (found.tokens, found.cut_tokens) == (tokens[0], tokens[0] - tokens[1])


def test_a_budget_keeps_all_that_fits(words):
    renderer = Renderer(PAIR | {"budgets": {"page.body": 5}}, words)
    row = {"page.title": counted(0, 3), "page.body": counted(10, 9)}
    assert renderer.text(row)[1] == f"{counted(0, 3)} | {counted(10, 5)}"
    assert renderer.encode(row).cut_tokens == 4


def test_a_cut_inside_a_character_of_several_tokens_ends(make_tokenizer):
    renderer = Renderer({"left": ["t"], "max_tokens": 30, "budgets": {"t": 3}}, make_tokenizer("byte_level"))
    assert renderer.text({"t": "a🔧b"})[0] == "a"
    assert renderer.text({"t": "🔧"})[0] == ""


@pytest.mark.parametrize("left", [0, 1, 6, 7, 8, 13, 14, 40])
@pytest.mark.parametrize("right", [0, 1, 6, 7, 8, 13, 14, 40])
@pytest.mark.parametrize("room", [13, 14])
def test_the_longer_side_is_cut_first_and_the_shorter_never_below_half(words, left, right, room):
    renderer = Renderer({"left": ["l"], "right": ["r"], "max_tokens": room + 3}, words)
    found = renderer.encode({"l": counted(0, left), "r": counted(500, right)})
    kept = [len(side) for side in inner(found.windows[0], 2)]
    assert sum(kept) == min(left + right, room)
    assert min(kept) >= min(left, right, room // 2)
    assert found.cut_tokens == left + right - sum(kept)


def test_what_is_kept_is_the_start_of_each_side(words):
    renderer = Renderer({"left": ["l"], "right": ["r"], "max_tokens": 13}, words)
    sides = inner(renderer.encode({"l": counted(0, 20), "r": counted(500, 20)}).windows[0], 2)
    assert sides == [words.encode(counted(start, 5), add_special_tokens=False).ids for start in (0, 500)]


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("most", [1, 2, 5, 50])
@pytest.mark.parametrize("length", [3, 12, 13, 30, 31, 200])
def test_windows_overlap_as_promised_and_unread_tokens_are_counted(words, single, most, length):
    windows = {"stride": 4, "max": most, "pool": "mean"}
    sides = {"left": ["r"]} if single else {"left": ["l"], "right": ["r"]}
    renderer = Renderer({**sides, "max_tokens": 17, "windows": windows}, words)
    found = renderer.encode({"l": counted(900, 3), "r": counted(0, length)})
    parts = [inner(window, 2)[0 if single else 1] for window in found.windows]
    text = words.encode(counted(0, length), add_special_tokens=False).ids
    assert len(parts) <= most and all(len(window.ids) <= 17 for window in found.windows)
    for one, following in zip(parts, parts[1:], strict=False):
        assert one[-4:] == following[:4]
    assert parts[0] == text[: len(parts[0])] and all(part in _runs(text, len(part)) for part in parts)
    read = {token for part in parts for token in part}
    assert found.cut_tokens == len(set(text) - read)
    assert found.tokens == length + (0 if single else 3)
    assert found.cut_tokens == 0 or len(parts) == most


def _runs(ids: list[int], length: int) -> list[list[int]]:
    return [ids[start : start + length] for start in range(len(ids) - length + 1)]


def test_every_window_repeats_a_left_side_of_at_most_half_the_room(words):
    view = {"left": ["l"], "right": ["r"], "max_tokens": 23, "windows": {"stride": 2, "max": 3, "pool": "max"}}
    found = Renderer(view, words).encode({"l": counted(900, 15), "r": counted(0, 18)})
    lefts = [inner(window, 2)[0] for window in found.windows]
    assert len(lefts) == 2 and lefts[0] == lefts[1] and len(lefts[0]) == 10
    assert found.cut_tokens == 5


def test_a_batch_is_its_rows_one_by_one(tokenizer):
    renderer = Renderer(PAIR | {"max_tokens": 16, "windows": {"stride": 2, "max": 3, "pool": "mean"}}, tokenizer)
    rows = [ROW, {}, NESTED, {"page": {"body": ["a", 7]}}, {"product.title": "б " * 50}]
    assert renderer.encode_batch(rows) == [renderer.encode(row) for row in rows]
    assert renderer.encode_batch([]) == []


def test_two_megabytes_of_text(words):
    renderer = Renderer(PAIR | {"budgets": {"page.body": 40}}, words)
    body = "дрель " * 180_000
    found = renderer.encode({**ROW, "page.body": body})
    assert len(found.windows) == 1 and len(found.windows[0].ids) <= 64
    assert found.cut_tokens == pytest.approx(180_000 - 40, rel=1e-3)  # counted by the part that is tokenised


@pytest.mark.parametrize(("sides", "fewest"), [({"left": ["l"]}, 3), ({"left": ["l"], "right": ["r"]}, 5)])
def test_a_length_without_room_for_text_is_refused(words, sides, fewest):
    Renderer({**sides, "max_tokens": fewest}, words)
    with pytest.raises(ValueError, match=f"max_tokens {fewest - 1} leaves no room"):
        Renderer({**sides, "max_tokens": fewest - 1}, words)


def test_the_tokenizers_own_truncation_and_padding_are_switched_off(words):
    words.enable_truncation(5)
    words.enable_padding(length=50)
    assert len(Renderer(PAIR, words).encode({"product.title": counted(0, 9)}).windows[0].ids) == 9 + 3


def test_the_file_runs_alone_on_the_standard_library():
    """-I -S: neither this repository nor any installed package is on the path."""
    command = [sys.executable, "-I", "-S", Path(rendering.__file__)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


NAN = float("nan")


@pytest.mark.parametrize("missing", [None, NAN, np.float64("nan"), [None, NAN]])
def test_a_missing_text_is_empty_whatever_it_is_written_as(missing):
    assert field_text({"page": {"title": missing}}, "page.title") == ""
    assert field_text({"page.title": missing}, "page.title") == ""


def test_missing_items_of_a_list_are_left_out():
    assert field_text({"page.title": ["ёж", None, NAN, "уж"]}, "page.title") == "ёж, уж"


@given(left=st.integers(0, 40), right=st.integers(0, 40), room=st.integers(3, 30), windowed=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_first_window_is_what_the_tokenizer_cuts_by_itself(words, left, right, room, windowed):
    windows = {"stride": 1, "max": 3, "pool": "mean"} if windowed else None
    view = {"left": ["l"], "right": ["r"], "max_tokens": room + 3, "windows": windows}
    record = {"l": counted(0, left), "r": counted(100, right)}
    found = Renderer(view, words).encode(record).windows[0]
    words.enable_truncation(room + 3, strategy="longest_first")
    cut = words.encode(record["l"], record["r"])
    assert (found.ids, found.type_ids) == (cut.ids, cut.type_ids)


@pytest.mark.parametrize("windows", [None, {"stride": 4, "max": 3, "pool": "mean"}])
@pytest.mark.parametrize("length", [200, 3_000, 30_000])
def test_what_is_not_tokenised_would_not_have_been_read(tokenizer, monkeypatch, windows, length):
    view = PAIR | {"max_tokens": 24, "windows": windows, "budgets": {"page.title": 5}}
    rows = [{name: counted(7 * number, length) for number, name in enumerate(ROW)}, {"page.body": "ж" * 10 * length}]
    short = Renderer(view, tokenizer).encode_batch(rows)
    monkeypatch.setattr(rendering, "LEAST_CHARACTERS", 10**9)
    whole = Renderer(view, tokenizer).encode_batch(rows)
    assert [one.windows for one in short] == [one.windows for one in whole]


def test_the_limit_grows_with_what_can_be_read_and_ends_with_a_whole_word(words, monkeypatch):
    monkeypatch.setattr(rendering, "LEAST_CHARACTERS", 10)
    monkeypatch.setattr(rendering, "CHARACTERS_PER_TOKEN", 4)
    text = "дрель " * 100
    assert [rendering._shortened(text, tokens) for tokens in (1, 10)] == ["дрель", " ".join(["дрель"] * 6)]
    assert rendering._shortened("ж" * 99, 1) == "ж" * 10 and rendering._shortened("ж" * 99, None) == "ж" * 99
    assert Renderer({"left": ["a"], "max_tokens": 12}, words).text({"a": text}) == (text.strip(), None)
