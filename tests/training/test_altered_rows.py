"""Training rows that read otherwise in every epoch."""

from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.rendering import Renderer, Window
from distill.training.altered_rows import Alteration, AlteredRows, ExchangedRows
from distill.training.config import AlterConfig
from distill.training.examples import Example
from teachers.pretraining.config import PretrainTraining
from tests.training.toy import CARD, fit_toy, interrupted, same_weights, toy_records, toy_view

ROW = {"a": "дрель пила фреза", "b": "лобзик", "c": "ключ насос", "d": "купить рубанок ремонт"}
WORDS = sorted({word for text in ROW.values() for word in text.split()})
TWO = {"left": ["a", "b"], "right": ["c", "d"], "max_tokens": 40}


def renderer(view=None, template="bert", separator=" | "):
    """A renderer with a token for each word and for the separator."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "|", "a", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single, pair = {
        "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
        "roberta": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]"),
        "bare": ("$A", "$A $B"),
    }[template]
    special = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    return Renderer({**(view or TWO), "separator": separator, "pad_id": 0}, tokenizer)


def altered(own, times=1, row=ROW, **config):
    """The texts of a row, `times` times altered."""
    alteration = Alteration.of(AlterConfig(**config), own)
    random = np.random.default_rng(5)
    windows = own.encode(row).windows
    names = {index: name for name, index in own.tokenizer.get_vocab().items()}
    found = [alteration.windows(windows, random)[0] for _ in range(times)]
    return [" ".join(names[token] for token in window.ids) for window in found], found


def test_nothing_is_made_of_a_config_that_alters_nothing():
    assert Alteration.of(AlterConfig(), renderer()) is None


@pytest.mark.parametrize("template", ["bert", "roberta"])
def test_the_sides_change_places_in_a_share_of_the_rows(template):
    own = renderer(template=template)
    texts, windows = altered(own, times=400, swapped=0.25)
    plain = own.encode(ROW).windows[0]
    other = own.encode({"a": ROW["c"], "b": ROW["d"], "c": ROW["a"], "d": ROW["b"]}).windows[0]
    assert all(window in (plain, other) for window in windows)
    assert 0.18 < sum(window == other for window in windows) / 400 < 0.32
    assert altered(own, swapped=1)[1] == [other]


def test_all_windows_of_a_row_swap_together():
    view = {**TWO, "max_tokens": 11, "windows": {"stride": 1, "max": 3, "pool": "mean"}}
    own = renderer(view)
    windows = own.encode(ROW).windows
    alteration = Alteration.of(AlterConfig(swapped=0.5), own)
    assert len(windows) > 1
    for seed in range(20):
        found = alteration.windows(windows, np.random.default_rng(seed))
        assert len({one == other for one, other in zip(windows, found, strict=True)}) == 1


def test_tokens_are_left_out_and_the_frame_stays():
    texts, windows = altered(renderer(), times=300, word_dropout=0.5)
    lengths = []
    for text, window in zip(texts, windows, strict=True):
        left, right, rest = text.removeprefix("[CLS] ").split(" [SEP]")
        assert text.startswith("[CLS] ") and not rest and len(window.type_ids) == len(window.ids)
        assert left and right.strip() and set(window.type_ids) == {0, 1}
        lengths.append(len(left.split()) + len(right.split()))
    assert max(lengths) <= 11 and 4.5 < np.mean(lengths) < 6.5


def test_whole_fields_are_left_out_with_their_separators():
    texts, _ = altered(renderer(), times=300, field_dropout=0.5)
    lefts, rights = ["дрель пила фреза", "лобзик"], ["ключ насос", "купить рубанок ремонт"]
    allowed = {
        f"[CLS] {left} [SEP] {right} [SEP]"
        for left in (" | ".join(lefts), *lefts)
        for right in (" | ".join(rights), *rights)
    }
    assert set(texts) == allowed


def test_a_side_of_one_field_or_none_stays_as_it_is():
    own = renderer()
    row = {"a": "дрель", "c": ROW["c"], "d": ROW["d"]}
    assert all("[CLS] дрель [SEP]" in text for text in altered(own, times=30, row=row, field_dropout=0.9)[0])
    assert altered(own, row={}, field_dropout=0.9, word_dropout=0.9)[0] == ["[CLS] [SEP] [SEP]"]


def test_a_text_of_no_tokens_stays_one_padding_token():
    own = renderer({"left": ["a", "b"], "max_tokens": 20}, template="bare")
    assert altered(own, row={}, word_dropout=0.5)[0] == ["[PAD]"]
    assert altered(own, row={"a": "дрель"}, word_dropout=0.9)[0] == ["дрель"]


@pytest.mark.parametrize(
    ("config", "view", "how", "message"),
    [
        ({"swapped": 1}, {"left": ["a"], "max_tokens": 9}, {}, "no sides to swap"),
        (
            {"field_dropout": 0.1},
            {"left": ["a"], "right": ["b"], "max_tokens": 9},
            {},
            "no side of the view has a second",
        ),
        ({"field_dropout": 0.1}, TWO, {"separator": " "}, "separator has no token of its own"),
        ({"field_dropout": 0.1}, TWO, {"separator": " ~ "}, "separator has no token of its own"),
        ({"word_dropout": 0.1}, TWO, {"template": "bare"}, "no token between the sides"),
    ],
)
def test_what_the_view_does_not_allow_is_refused(config, view, how, message):
    with pytest.raises(UserError, match=message):
        Alteration.of(AlterConfig(**config), renderer(view, **how))


def test_pre_training_does_not_take_it():
    with pytest.raises(UserError, match="alter: pre-training masks and swaps by itself"):
        parse(PretrainTraining, {"alter": {"swapped": 0.5}}, "project.yaml")


def test_a_row_depends_on_seed_epoch_and_place_alone(encoder):
    view = toy_view(encoder, CARD).renderer()
    windows = [one.windows for one in view.encode_batch([record.fields for record in toy_records("т", 12)])]
    examples = [Example(one, np.zeros(3, np.float32), None) for one in windows]
    alteration = Alteration.of(AlterConfig(word_dropout=0.4), view)

    def read(seed, epoch):
        rows = AlteredRows(examples, alteration, seed)
        rows.set_epoch(epoch)
        return [row.windows for row in rows]

    assert read(1, 0) == read(1, 0) != windows
    assert len({str(read(seed, epoch)) for seed, epoch in ((1, 0), (1, 1), (2, 0))}) == 3
    rows = AlteredRows(examples, alteration, 1)
    assert rows[3].teacher_logits is examples[3].teacher_logits and len(rows) == 12
    assert rows[7].windows == read(1, 0)[7]


def test_a_run_that_was_cut_off_reads_what_it_would_have_read(warm, tmp_path):
    alter = {"alter": {"word_dropout": 0.3, "swapped": 0.5}}
    whole = fit_toy(warm, tmp_path / "whole", **alter)
    interrupted(warm, tmp_path / "cut", 10, **alter)
    assert same_weights(whole, fit_toy(warm, tmp_path / "cut", **alter))
    assert not same_weights(whole, fit_toy(warm, tmp_path / "plain"))


def test_with_a_declared_swap_half_of_the_rows_of_an_epoch_are_exchanged_with_their_labels():
    own, count = renderer(), 400
    gold, soft = (
        np.eye(3, dtype=np.float32)[np.arange(count) % 3],
        np.arange(3 * count, dtype=np.float32).reshape(-1, 3),
    )
    given, other = (
        [Example([Window([first, number], [0, 0])], soft[number], gold[number]) for number in range(count)]
        for first in (1, 2)
    )
    other[0] = replace(other[0], target=None, teacher_logits=None)
    rows = AlteredRows(given, Alteration.of(AlterConfig(), own, ExchangedRows(other, [1, 0, 2])), 1)
    seen = []
    for epoch in range(2):
        rows.set_epoch(epoch)
        read = [rows[number] for number in range(count)]
        seen.append([row.windows[0].ids[0] == 2 for row in read])
        assert [row.windows[0].ids[1] for row in read] == list(range(count))
        for number, (row, exchanged) in enumerate(zip(read, seen[-1], strict=True)):
            order = [1, 0, 2] if exchanged else [0, 1, 2]
            assert number == 0 or np.array_equal(row.target, gold[number][order])
            assert number == 0 or np.array_equal(row.teacher_logits, soft[number][order])
    assert all(0.42 < np.mean(one) < 0.58 for one in seen) and 0.4 < np.mean(np.equal(*seen)) < 0.6
    assert ExchangedRows(other, [1, 0, 2])[0].target is None
    assert Alteration.of(AlterConfig(swapped=0), own, ExchangedRows(other, [1, 0, 2])) is None


def test_a_declared_swap_needs_no_token_between_the_sides():
    bare = renderer(template="bare")
    assert Alteration.of(AlterConfig(swapped=0.3), bare, []).swapped == 0.3
    with pytest.raises(UserError, match="no token between the sides"):
        Alteration.of(AlterConfig(word_dropout=0.1), bare, [])
