"""Weight and temperature by source of rows, against the sum of each row under its own settings."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from distill.training.distillation_loss import DistillationLoss
from distill.training.losses.gold import Gold
from distill.training.losses.registry import parse_terms
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.losses.term import Outputs, Term, needs

SOURCES = ("train", "pool.a", "pool.b")
SOURCE = torch.tensor([0, 1, 2, 0, 1])
OWNER = torch.tensor([0, 0, 1, 2, 2, 3, 4])
ROWS, WINDOWS = len(SOURCE), len(OWNER)


def random(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch(**changes):
    values = {
        "source": SOURCE,
        "owner": OWNER,
        "attention_mask": torch.arange(WINDOWS)[:, None].expand(-1, 4),
        "teacher_logits": random(ROWS, 3, seed=2),
        "target": torch.eye(3)[[0, 1, 2, 0, 1]],
        "has_teacher": torch.tensor([True, True, True, False, True]),
        "has_gold": torch.tensor([True, False, False, True, False]),
    }
    return {**values, **changes}


def loss(*terms, values=None):
    own = values or batch()
    return DistillationLoss(terms, sources=SOURCES)(Outputs(random(ROWS, 3)), Outputs(own["teacher_logits"]), own)


def row_by_row(terms_of):
    """Each row alone under the terms of its source."""
    found = []
    for row in range(ROWS):
        own = {name: values[row : row + 1] for name, values in batch().items() if name != "owner"}
        student = Outputs(random(ROWS, 3)[row : row + 1])
        found.append(DistillationLoss(terms_of(SOURCES[SOURCE[row]]))(student, Outputs(own["teacher_logits"]), own))
    return torch.stack(found).mean()


def test_each_row_counts_under_the_settings_of_its_source():
    soft = {"train": (0.5, 1.0), "pool.a": (2.0, 4.0), "pool.b": (1.0, 2.0)}
    hard = {"train": 0.25, "pool.a": 1.0, "pool.b": 1.0}
    terms = (
        SoftCrossEntropy(
            temperature=2,
            sources={"train": {"weight": 0.5, "temperature": 1}, "pool.a": {"weight": 2, "temperature": 4}},
        ),
        Gold(sources={"train": {"weight": 0.25}}),
    )
    expected = row_by_row(
        lambda name: (SoftCrossEntropy(weight=soft[name][0], temperature=soft[name][1]), Gold(weight=hard[name]))
    )
    torch.testing.assert_close(loss(*terms), expected)
    assert not torch.isclose(loss(SoftCrossEntropy(), Gold()), expected)


def test_what_a_source_leaves_out_is_the_terms_own():
    part = SoftCrossEntropy(weight=3, temperature=5, sources={"pool.a": {"weight": 2}, "pool.b": {"temperature": 1}})
    assert (part.for_source("pool.a").weight, part.for_source("pool.a").temperature) == (2, 5)
    assert (part.for_source("pool.b").weight, part.for_source("pool.b").temperature) == (3, 1)
    same = SoftCrossEntropy(sources={"train": {"temperature": 2}, "pool.b": {"weight": 1}})
    torch.testing.assert_close(loss(same), loss(SoftCrossEntropy()))


def test_a_source_counts_where_the_others_do_not():
    only = SoftCrossEntropy(weight=0, sources={"pool.a": {"weight": 1}})
    assert only.counts and not SoftCrossEntropy(weight=0, sources={"pool.a": {"weight": 0}}).counts
    torch.testing.assert_close(loss(only), row_by_row(lambda name: (SoftCrossEntropy(weight=float(name == "pool.a")),)))
    none = loss(SoftCrossEntropy(sources={name: {"weight": 0} for name in SOURCES}, weight=0))
    assert none == 0


class StatesOfWindows(Term):
    """Sums the states that it is given, and checks that every tensor is of the same rows and windows."""

    needs = frozenset({"hidden_states"})

    def __call__(self, student, teacher, batch):
        rows, windows = len(student.logits), len(batch["owner"])
        assert len(batch["target"]) == len(batch["source"]) == len(batch["has_gold"]) == len(teacher.logits) == rows
        assert len(student.hidden_states[0]) == len(student.attentions[0]) == len(batch["attention_mask"]) == windows
        assert batch["owner"].unique().tolist() == list(range(rows))
        return student.hidden_states[0].sum()


def test_a_term_of_windows_is_given_those_of_the_rows_of_a_source():
    states = torch.arange(WINDOWS).float().reshape(-1, 1, 1)
    student = Outputs(random(ROWS, 3), hidden_states=(states,), attentions=(states[..., None],))
    term = StatesOfWindows(sources={"train": {"weight": 10}, "pool.b": {"weight": 0}})
    found = DistillationLoss((term,), sources=SOURCES)(student, Outputs(batch()["teacher_logits"]), batch())
    assert found == (10 * (0 + 1 + 5) + (2 + 6)) / ROWS  # of pool.b are windows 3 and 4
    one_each = batch(owner=torch.arange(ROWS), attention_mask=torch.zeros(ROWS, 4))
    student = Outputs(random(ROWS, 3), hidden_states=(states[:ROWS],), attentions=(states[:ROWS, ..., None],))
    found = DistillationLoss((term,), sources=SOURCES)(student, Outputs(one_each["teacher_logits"]), one_each)
    assert found == (10 * (0 + 3) + (1 + 4)) / ROWS


def test_a_term_that_counts_for_one_source_alone_reads_what_it_needs():
    assert needs([StatesOfWindows(weight=0, sources={"train": {"weight": 1}})]) == {"hidden_states"}
    assert needs([StatesOfWindows(weight=0, sources={"train": {"temperature": None}})]) == frozenset()


def test_a_temperature_where_the_term_has_none_is_refused():
    with pytest.raises(ValueError, match=r"gold\.sources\.train\.temperature: this term has no temperature"):
        parse_terms({"gold": {"sources": {"train": {"temperature": 2}}}})
    with pytest.raises(ValidationError, match="weight"):
        Gold(sources={"train": {"weight": -1}})


def test_the_order_in_which_sources_are_named_does_not_matter():
    one = SoftCrossEntropy(sources={"train": {"weight": 2}, "pool.a": {"weight": 3}})
    other = SoftCrossEntropy(sources={"pool.a": {"weight": 3}, "train": {"weight": 2}})
    assert list(one.sources) == list(other.sources) and torch.equal(loss(one), loss(other))
    assert SoftCrossEntropy().as_fingerprint() == {}
