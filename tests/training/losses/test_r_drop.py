"""Two passes over each row, which differ by their dropout."""

import pytest
import torch

from distill.core.errors import UserError
from distill.core.objectives.objective import objective
from distill.training.distillation_loss import DistillationLoss
from distill.training.examples import Collator, doubled
from distill.training.losses.gold import Gold
from distill.training.losses.r_drop import RDrop
from distill.training.losses.term import Outputs, needs, needs_teacher
from tests.training.toy import WINDOWED, fit_toy, interrupted, same_weights, toy_examples, toy_run


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_it_is_half_the_divergence_there_and_back(kind):
    one, other = torch.tensor([[2.0, 0, 1], [0, 0, 0]]), torch.tensor([[1.0, 1, 0], [0, 3, 0]])
    own = objective(kind, 3)
    if kind == "single":
        p, q = one.softmax(-1), other.softmax(-1)
        expected = ((p * (p / q).log()).sum() + (q * (q / p).log()).sum()) / 2
    else:
        p, q = one.sigmoid(), other.sigmoid()
        both = [(a, b) for a, b in ((p, q), (1 - p, 1 - q))]
        expected = sum((a * (a / b).log()).sum() + (b * (b / a).log()).sum() for a, b in both) / 2 / 3
    found = RDrop()(Outputs(torch.cat([one, other]), own), Outputs(torch.zeros(4, 3), own), {})
    torch.testing.assert_close(found, expected)
    assert float(RDrop()(Outputs(torch.cat([one, one]), own), Outputs(torch.zeros(4, 3), own), {})) < 1e-6
    assert needs([RDrop()]) == {"logits", "twice"} and not needs_teacher([RDrop()])


def test_a_doubled_batch_holds_each_row_twice(encoder):
    batch = Collator(3, 3, 0)(toy_examples(encoder, 5, WINDOWED))
    twice, windows = doubled(batch), len(batch["owner"])
    assert len(twice["target"]) == 10 and len(twice["owner"]) == 2 * windows
    assert torch.equal(twice["owner"][windows:], batch["owner"] + 5)
    for name in ("input_ids", "target", "has_gold"):
        half = len(batch[name])
        assert torch.equal(twice[name][:half], batch[name]) and torch.equal(twice[name][half:], batch[name])


def test_it_pulls_two_passes_together_and_costs_the_other_terms_nothing(encoder, warm, tmp_path):
    """Under dropout that drops nothing both passes are one, and the mean over 2·B rows is that over B."""
    steps = {"max_steps": 4, "may_collapse": True}
    plain = fit_toy(warm, tmp_path / "plain", run=toy_run(DistillationLoss((Gold(),))), **steps, dropout=0)
    own = toy_run(DistillationLoss((Gold(), RDrop(weight=4))))
    still = fit_toy(warm, tmp_path / "still", run=own, **steps, dropout=1e-12)
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(still.state_dict()[name], weight, atol=1e-4, rtol=1e-3)
    moved = fit_toy(warm, tmp_path / "moved", run=own, **steps, dropout=0.3)
    other = fit_toy(warm, tmp_path / "other", run=toy_run(DistillationLoss((Gold(),))), **steps, dropout=0.3)
    assert not same_weights(moved, other)
    assert _apart(moved) < _apart(other)


def _apart(model):
    """The mean difference between passes of other dropout."""
    torch.manual_seed(1)
    ids = torch.randint(5, model.config.vocab_size, (16, 8))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    model.train()
    with torch.no_grad():
        return torch.stack([model(input_ids=ids).logits.softmax(-1) for _ in range(20)]).std(0).mean()


def test_a_run_that_was_cut_off_ends_as_an_undisturbed_one(warm, tmp_path):
    run = toy_run(DistillationLoss((Gold(), RDrop())))
    whole = fit_toy(warm, tmp_path / "whole", run=run, max_steps=10)
    interrupted(warm, tmp_path / "cut", 6, run=run, max_steps=10)
    assert same_weights(whole, fit_toy(warm, tmp_path / "cut", run=run, max_steps=10))


def test_a_model_without_dropout_is_refused_where_the_term_counts(warm, tmp_path):
    steps = {"max_steps": 1, "may_collapse": True, "dropout": 0}
    run, without = (toy_run(DistillationLoss((Gold(), RDrop(weight=weight)))) for weight in (4, 0))
    with pytest.raises(UserError, match=r"the model has none[\s\S]*losses: r_drop[\s\S]*set training.dropout"):
        fit_toy(warm, tmp_path / "refused", run=run, **steps)
    fit_toy(warm, tmp_path / "without", run=without, **steps)
    fit_toy(warm, tmp_path / "head", run=run, **steps, head_dropout=0.1)
