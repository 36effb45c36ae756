"""Weights and temperatures that change while a model is trained."""

import json

import pytest
import torch

from distill.core.config import parse
from distill.core.errors import UserError
from distill.training.distillation_loss import DistillationLoss
from distill.training.losses.gold import Gold
from distill.training.losses.registry import parse_terms
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.losses.term import Outputs, needs
from distill.training.ramp import Ramp
from tests.training.toy import Watch, fit_toy, interrupted, reporting, same_weights, toy_run

DOWN = {"start": 1, "end": 0, "steps": 10}


@pytest.mark.parametrize(
    ("step", "linear", "cosine"), [(0, 1, 1), (2, 0.8, 0.904508), (5, 0.5, 0.5), (10, 0, 0), (99, 0, 0)]
)
def test_it_moves_from_start_to_end_and_stays(step, linear, cosine):
    assert Ramp(**DOWN).at(step) == pytest.approx(linear)
    assert Ramp(**DOWN, shape="cosine").at(step) == pytest.approx(cosine, abs=1e-6)


def test_a_term_has_its_numbers_at_a_step():
    term = SoftCrossEntropy.model_validate({"weight": DOWN, "temperature": {"start": 4, "end": 1, "steps": 3}})
    assert (term.at(1).weight, term.at(1).temperature) == pytest.approx((0.9, 3))
    plain = SoftCrossEntropy()
    assert plain.at(5) is plain and needs([term]) == {"logits"}


def test_the_loss_follows_the_step():
    own = DistillationLoss(tuple(parse_terms({"gold": {"weight": DOWN}}).values()))
    outputs = Outputs(torch.tensor([[2.0, 0.0, 0.0]]))
    batch = {"has_gold": torch.ones(1).bool(), "target": torch.tensor([[0.0, 1, 0]])}
    values = [float(own.at(step)(outputs, outputs, batch)) for step in (0, 5, 10)]
    assert values == pytest.approx([values[0], values[0] / 2, 0]) and values[0] > 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": 1, "end": 0}, "gold.weight.steps: missing"),
        ({"start": 1, "end": 1, "steps": 5}, "gold.weight.end: equals start, 1"),
        ({"start": -1, "end": 1, "steps": 5}, "gold.weight.start: .*found -1"),
        ({"start": 1, "end": 0, "over": 5, "steps": 1}, "gold.weight.over: unknown"),
        ({"start": 1, "end": 0, "steps": 5, "shape": "sharp"}, "gold.weight.shape: .*found 'sharp'"),
    ],
)
def test_a_ramp_that_is_none_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        parse_terms({"gold": {"weight": values}})
    with pytest.raises(UserError, match=message.replace("gold.weight", "weight")):
        parse(Gold, {"weight": values}, "project.yaml")


def _loss():
    return toy_run(
        DistillationLoss(tuple(parse_terms({"gold": {"weight": {"start": 0.1, "end": 3, "steps": 14}}}).values()))
    )


def test_a_run_that_was_cut_off_goes_on_at_its_place_in_the_ramp(warm, tmp_path):
    for name in ("whole", "cut"):
        if name == "cut":
            interrupted(warm, tmp_path / name, 6, run=_loss())
        watch = Watch()
        with reporting(watch):
            model = fit_toy(warm, tmp_path / name, run=_loss())
        if name == "whole":
            whole = model
    assert watch.resumed_from == 4 and same_weights(whole, model)
    histories = [json.loads((tmp_path / name / "training_history.json").read_text()) for name in ("whole", "cut")]
    assert histories[0] == histories[1]
    constant = DistillationLoss((Gold(weight=0.1),))
    assert not same_weights(whole, fit_toy(warm, tmp_path / "constant", run=toy_run(constant)))
