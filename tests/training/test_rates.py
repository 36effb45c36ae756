"""Learning rates over the depth of a model: what each weight gets, by both optimisers and in several families."""

import pytest
import torch

from distill.core.errors import UserError
from distill.models.encoder import load_classifier
from distill.training.dropout_rates import set_dropout, set_head_dropout
from distill.training.rates import rate_factors, set_rates
from distill.training.run import Rows
from distill.training.stretch import fixed
from distill.training.trainer import DistillTrainer
from tests.models.conftest import CONFIGS, make_model
from tests.training.toy import LABELS, toy_examples, toy_run, toy_training

__all__ = ["make_model"]
RATE = 2.0**-9


def factors(model, **training):
    """What multiplies the rate of each parameter, by its name."""
    found = rate_factors(model, model, toy_training(**training))
    return {name: found.get(id(weight), 1.0) for name, weight in model.named_parameters()}


def depth(name, families=("layer", "layers")):
    """The number of the layer that a parameter is in, from 1 on; None outside."""
    parts = name.split(".")
    numbers = [int(part) for place, part in zip(parts, parts[1:], strict=False) if place in families and part.isdigit()]
    return numbers[0] + 1 if numbers else None


@pytest.mark.parametrize("family", ["bert", "roberta", "electra", "distilbert", "deberta-v2", "modernbert", "mpnet"])
def test_each_layer_has_its_share_and_embeddings_come_last(make_model, family):
    """By the formula: rate·d^(L−l) for layer l of L, d^L for what the first one reads, 1 above, the head apart."""
    model = make_model(family, layers=3)
    found = factors(model, layer_decay=0.5, head_rate=7)
    inner = {f"{model.base_model_prefix}.{name}" for name, _ in model.base_model.named_parameters()}
    for name, factor in found.items():
        layer = depth(name)
        if name not in inner:
            assert factor == 7, name
        elif layer is not None:
            assert factor == 0.5 ** (3 - layer), name
        elif "embed" in name or "relative_attention_bias" in name:
            assert factor == 0.125, name
        else:  # pooler, last norm, and the norm of DeBERTa's table
            assert factor == 1, name
    assert {0.125, 0.25, 0.5, 1.0, 7.0} <= {*found.values(), 1.0}


def test_a_family_whose_layers_share_their_weights_is_refused(make_model):
    with pytest.raises(UserError, match="no stack of layers"):
        factors(make_model("albert"), layer_decay=0.9)


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
@pytest.mark.parametrize(("decay", "head"), [(0.5, 4.0), (0.5, 1.0), (1.0, 4.0), (1.0, 1.0)])
def test_every_weight_is_trained_once_at_its_rate(encoder, tmp_path, optimiser, decay, head):
    model = load_classifier(encoder, LABELS)
    config = toy_training(optimiser=optimiser, learning_rate=RATE, layer_decay=decay, head_rate=head)
    rows = Rows(toy_examples(encoder, 8), toy_examples(encoder, 4, prefix="в"))
    trainer = DistillTrainer(model, config, fixed(config, tmp_path), toy_run(), rows)
    groups = [group for group in trainer.create_optimizer().param_groups if group["params"]]
    rates = [(id(weight), group["lr"]) for group in groups for weight in group["params"]]
    expected = factors(model, layer_decay=decay, head_rate=head)
    assert len(rates) == len(list(model.parameters()))
    assert dict(rates) == {id(weight): RATE * expected[name] for name, weight in model.named_parameters()}
    muon = {id(weight) for group in groups if "momentum" in group for weight in group["params"]}
    matrices = {id(w) for name, w in model.named_parameters() if depth(name) and w.ndim == 2}
    assert muon == (matrices if optimiser == "muon" else set())
    assert {id(w) for group in groups if group["weight_decay"] for w in group["params"]} == {
        id(w) for w in model.parameters() if w.ndim > 1
    }


def test_without_any_factor_the_groups_stay_as_they_are():
    net = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE)
    before = [list(group["params"]) for group in optimiser.param_groups]
    set_rates(optimiser, {}, RATE)
    assert [list(group["params"]) for group in optimiser.param_groups] == before


@pytest.mark.parametrize("family", CONFIGS)
def test_the_heads_dropout_is_apart_from_the_encoders(make_model, family):
    """Their configs call it `classifier_dropout`, `cls_dropout`, `classifier_dropout_prob` …"""
    model = make_model(family)
    set_dropout(model, 0.3)
    set_head_dropout(model, 0.6)
    rates = {name: one.p for name, one in model.named_modules() if isinstance(one, torch.nn.Dropout)}
    head = {name for name in rates if not name.startswith(f"{model.base_model_prefix}.")}
    assert head and {rates[name] for name in head} == {0.6}
    assert {rate for name, rate in rates.items() if name not in head} <= {0.3}


def test_without_a_rate_of_its_own_the_head_keeps_the_familys(make_model):
    model = make_model("distilbert")
    before = model.dropout.p
    set_head_dropout(model, None)
    assert model.dropout.p == before == model.config.seq_classif_dropout


def test_a_head_without_dropout_is_named(make_model):
    model = make_model("bert")
    model.dropout = torch.nn.Identity()
    with pytest.raises(UserError, match="head of this encoder has no dropout") as caught:
        set_head_dropout(model, 0.1)
    assert "model_type 'bert'" in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(("schedule", "middle"), [("linear", 0.55), ("cosine", 0.55)])
def test_a_schedule_comes_down_to_the_final_rate_in_every_group(encoder, tmp_path, schedule, middle):
    """After 2 steps of warm-up: at half of the way the mean of both ends, at the end a tenth."""
    options = {"max_steps": 10, "warmup": 2, "schedule": schedule, "learning_rate": RATE, "head_rate": 5}
    config = toy_training(**options, final_learning_rate=RATE / 10)
    model = load_classifier(encoder, LABELS)
    rows = Rows(toy_examples(encoder, 8), toy_examples(encoder, 4, prefix="в"))
    trainer = DistillTrainer(model, config, fixed(config, tmp_path), toy_run(), rows)
    trainer.create_optimizer_and_scheduler(10)
    seen = []
    for _ in range(11):
        seen.append([group["lr"] / RATE for group in trainer.optimizer.param_groups if group["params"]])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    factors = [5 if rates > 1 else 1 for rates in seen[2]]
    assert set(factors) == {1, 5}
    for step, share in ((0, 0), (2, 1), (6, middle), (10, 0.1)):
        assert seen[step] == pytest.approx([factor * share for factor in factors])
