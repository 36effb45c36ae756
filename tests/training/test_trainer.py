"""The Trainer's batches, steps, learning rates and validation."""

from contextlib import ExitStack
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as hf

from distill.core.objectives.single_label import SINGLE
from distill.core.progress import reporting
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.torch_runner import TorchRunner
from distill.models.encoder import load_classifier
from distill.training import trainer as trainer_module
from distill.training.examples import Collator, Example, LengthGroupedSampler
from distill.training.run import Rows
from distill.training.stretch import fixed
from distill.training.trainer import DistillTrainer, ProgressCallback, validation_figures
from distill.training.work import optimiser_steps
from tests.training.toy import (
    CARD,
    LABELS,
    WINDOWED,
    Stop,
    Watch,
    random_logits,
    same_weights,
    toy_examples,
    toy_loss,
    toy_records,
    toy_run,
    toy_training,
    toy_view,
)


class Notes(hf.TrainerCallback):
    """What a run does, step by step."""

    def __init__(self):
        self.rates = []

    def on_step_end(self, args, state, control, lr_scheduler=None, **unused):
        self.rates.append(lr_scheduler.get_last_lr()[0])


class Seen(Collator):
    """A collator that notes which rows it is given, by the identity of the example."""

    def __call__(self, examples):
        self.__dict__.setdefault("batches", []).append([id(example) for example in examples])
        return super().__call__(examples)


@pytest.fixture
def make_trainer(encoder, tmp_path):
    """`make_trainer(rows, ...)`: a trainer of the toy encoder, its model always the same."""

    def make(
        rows=24, *, model=None, train=None, view=CARD, pool="mean", loss=None, collator=None, callbacks=(), **training
    ):
        torch.manual_seed(5)
        model = model or load_classifier(encoder, LABELS)
        train = train or toy_examples(encoder, rows, view)
        valid = toy_examples(encoder, 9, view, "в")
        config, run = toy_training(**training), toy_run(loss, pool=pool, seed=3)
        trainer = DistillTrainer(model, config, fixed(config, tmp_path), run, Rows(train, valid), callbacks)
        if collator:
            trainer.data_collator = trainer.collator = collator
        return trainer

    return make


def _learning_rates(make_trainer, **training):
    notes = Notes()
    make_trainer(8, callbacks=[notes], batch_size=4, learning_rate=0.01, **training).train()
    return notes.rates


def test_muon_takes_the_matrices_of_the_layers_and_adamw_the_rest(make_trainer):
    trainer = make_trainer(8, optimiser="muon", weight_decay=0.1)
    optimizer = trainer.create_optimizer()
    groups = [{id(weight) for weight in group["params"]} for group in optimizer.param_groups]
    inner = {id(weight) for weight in trainer.model.bert.encoder.parameters() if weight.ndim == 2}
    everything = [id(weight) for weight in trainer.model.parameters()]
    assert groups[0] == inner and len(inner) == 2 * 6
    assert sorted(everything) == sorted(weight for group in groups for weight in group)
    assert trainer.create_optimizer() is optimizer
    assert isinstance(make_trainer(8).create_optimizer(), torch.optim.AdamW)


def test_of_several_devices_a_process_uses_one(make_trainer, monkeypatch):
    real = hf.TrainingArguments.__dict__["_setup_devices"].func

    def two(arguments):
        device = real(arguments)
        arguments._n_gpu = 2
        return device

    seen = cached_property(two)
    seen.__set_name__(hf.TrainingArguments, "_setup_devices")
    monkeypatch.setattr(hf.TrainingArguments, "_setup_devices", seen)
    assert hf.TrainingArguments().n_gpu == 2
    trainer = make_trainer(8, batch_size=4, epochs=1)
    trainer.train()
    assert trainer.args.train_batch_size == 4 and trainer.state.max_steps == 2
    assert trainer.model_wrapped is trainer.model


@pytest.mark.parametrize("warmup", [0.5, 4])
def test_warmup_is_a_share_under_one_and_steps_from_one_on(make_trainer, warmup):
    expected = [0.0025, 0.005, 0.0075, 0.01, 0.0075, 0.005, 0.0025, 0]
    assert _learning_rates(make_trainer, epochs=4, warmup=warmup) == pytest.approx(expected)


def test_warmup_of_one_is_one_step_and_zero_is_none(make_trainer):
    assert _learning_rates(make_trainer, epochs=1, warmup=1) == pytest.approx([0.01, 0])
    assert _learning_rates(make_trainer, epochs=1, warmup=0) == pytest.approx([0.005, 0])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant_with_warmup", [0.01] * 4),
        ("cosine", [0.01 * (1 + np.cos(np.pi * x)) / 2 for x in (0.25, 0.5, 0.75, 1)]),
    ],
)
def test_schedules(make_trainer, schedule, expected):
    rates = _learning_rates(make_trainer, epochs=2, warmup=0, schedule=schedule)
    assert rates == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "changes", "steps"),
    [
        (24, {"epochs": 3, "batch_size": 4}, 18),
        (25, {"epochs": 2, "batch_size": 4}, 14),
        (25, {"epochs": 2, "batch_size": 4, "accumulate": 3}, 6),
        (25, {"epochs": 0.5, "batch_size": 4}, 4),
        (3, {"epochs": 1.5, "batch_size": 8, "accumulate": 4}, 2),
        (25, {"epochs": 2, "batch_size": 4, "max_steps": 5}, 5),
    ],
)
def test_planned_steps_are_those_of_the_trainer(make_trainer, rows, changes, steps):
    watch = Watch(stop_at="start")
    with ExitStack() as tasks, reporting(watch), pytest.raises(Stop):
        make_trainer(rows, callbacks=[ProgressCallback("toy", tasks)], **changes).train()
    assert watch.total == optimiser_steps(rows, toy_training(**changes)) == steps


def test_rows_come_in_the_samplers_order_of_each_epoch(make_trainer, encoder):
    train, collator = toy_examples(encoder, 22, WINDOWED), Seen(3, 3, 0)
    make_trainer(train=train, collator=collator, epochs=3).train()
    position = {id(example): row for row, example in enumerate(train)}
    seen = [position[name] for batch in collator.batches for name in batch if name in position]
    sampler = LengthGroupedSampler([example.length for example in train], 4, 3)
    expected = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        expected += list(sampler)
    assert seen == expected and expected[:22] != expected[22:44]


@pytest.mark.parametrize("view", [CARD, WINDOWED])
def test_accumulated_batches_equal_the_bigger_batch(make_trainer, view):
    step = {"max_steps": 1, "dropout": 0, "warmup": 0, "schedule": "constant_with_warmup"}
    trainers = [
        make_trainer(8, view=view, model=None, batch_size=size, accumulate=8 // size, **step) for size in (8, 4, 1)
    ]
    for trainer in trainers:
        for module in trainer.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        trainer.train()
    start = make_trainer(8).model.state_dict()
    whole, *parts = [trainer.model.state_dict() for trainer in trainers]
    assert any((whole[name] - start[name]).abs().max() > 1e-3 for name in start)
    for part in parts:
        # Adam's first step is near the sign of the gradient: where that is float noise, so is the step.
        close = torch.cat([((whole[name] - part[name]).abs() < 1e-5).flatten() for name in whole])
        assert close.float().mean() > 0.99


def test_loss_of_a_step_is_that_of_the_formula(make_trainer, encoder):
    trainer = make_trainer(view=WINDOWED, loss=toy_loss(), pool="max")
    examples = [
        Example(example.windows, logits if row % 2 else None, example.target if row % 3 else None)
        for row, (example, logits) in enumerate(zip(toy_examples(encoder, 7, WINDOWED), random_logits(7), strict=True))
    ]
    batch = Collator(3, 3, 0)(examples)
    trainer.model.eval().cpu()
    found = trainer.compute_loss(trainer.model, batch)
    rows = [trainer.compute_loss(trainer.model, Collator(3, 3, 0)([example])) for example in examples]
    torch.testing.assert_close(found, torch.stack(rows).mean())


@pytest.mark.parametrize(("view", "pool"), [(CARD, "mean"), (WINDOWED, "mean"), (WINDOWED, "max")])
def test_validation_reads_rows_as_scoring_does(make_trainer, encoder, tmp_path, view, pool):
    if view.windows:
        view = view.model_copy(update={"windows": view.windows.model_copy(update={"pool": pool})})
    trainer = make_trainer(view=view, pool=pool)
    logits, target = trainer.validate()
    trainer.model.save_pretrained(tmp_path)
    rows = toy_records("в", 9)
    scorer = RunnerScorer(TorchRunner(tmp_path), toy_view(encoder, view).renderer())
    expected = scorer.score([record.fields for record in rows])
    np.testing.assert_allclose(logits, expected.logits, atol=1e-5)
    assert np.ptp(logits) > 1e-3
    assert np.array_equal(target, np.stack([record.target for record in rows]))


SMALL = {"vocab_size": 150, "num_labels": 3, "pad_token_id": 0}
FAMILIES = {
    "bert": hf.BertConfig(
        **SMALL, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, initializer_range=0.5
    ),
    "roberta": hf.RobertaConfig(
        **SMALL, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, type_vocab_size=1
    ),
    "distilbert": hf.DistilBertConfig(**SMALL, dim=16, n_layers=1, n_heads=2, hidden_dim=16),
    "xlnet": hf.XLNetConfig(**SMALL, d_model=16, n_layer=1, n_head=2, d_inner=16, initializer_range=0.5),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_training_feeds_a_family_what_scoring_feeds_it(make_trainer, encoder, tmp_path, family):
    torch.manual_seed(4)
    model = hf.AutoModelForSequenceClassification.from_config(FAMILIES[family])
    trainer = make_trainer(model=model)
    logits, _ = trainer.validate()
    model.save_pretrained(tmp_path)
    rows = [record.fields for record in toy_records("в", 9)]
    expected = RunnerScorer(TorchRunner(tmp_path), toy_view(encoder).renderer()).score(rows).logits
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_validation_leaves_no_trace_in_training(make_trainer):
    class Validate(hf.TrainerCallback):
        def on_step_end(self, args, state, control, **unused):
            Validate.trainer.validate()

    plain, disturbed = make_trainer(epochs=1), make_trainer(epochs=1, callbacks=[Validate()])
    Validate.trainer = disturbed
    torch.manual_seed(9)
    plain.train()
    torch.manual_seed(9)
    disturbed.train()
    assert same_weights(plain.model, disturbed.model)


def test_figures_of_an_evaluation():
    target = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    figures = validation_figures(np.eye(3, dtype=np.float32)[[0, 1, 1, 0]] * 4, target, LABELS, SINGLE)
    assert figures["accuracy"] == 0.5
    assert figures["мимо_precision"] == figures["мимо_recall"] == figures["рядом_precision"] == 0.5
    assert figures["рядом_recall"] == 1 and figures["точно_f1"] == 0
    assert figures["f1_macro"] == pytest.approx((0.5 + 2 / 3 + 0) / 3, abs=1e-6)
    assert set(figures) == {"accuracy", "f1_macro", "log_loss", "temperature"} | {
        f"{label}_{name}" for label in LABELS for name in ("precision", "recall", "f1")
    }


def test_validation_rows_that_are_all_right_have_a_log_loss_that_tells_weights_apart():
    """Three rows in four of a large margin; the fourth tells. Neither is 0, whatever the scale of the logits."""
    target = np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    margin = np.where(np.arange(60) % 4, 9, 1)[:, None].astype(np.float32)
    found = [validation_figures(scale * margin**power * target, target, LABELS, SINGLE)
             for power in (1, 0.5) for scale in (1, 5)]  # fmt: skip
    uneven, even = (one["log_loss"] for one in (found[0], found[2]))
    assert 0.01 < even < 0.7 * uneven
    assert [one["log_loss"] for one in found] == pytest.approx([uneven, uneven, even, even], rel=1e-3)
    assert all(one["temperature"] > 0.2 for one in found)  # and not at the least, 0.05


def test_small_figures_of_an_evaluation_are_not_rounded_away(monkeypatch):
    monkeypatch.setattr(trainer_module, "fit_temperature", lambda *a: 1.0)
    target = np.eye(3, dtype=np.float32)
    figures = validation_figures(20 * target, target, LABELS, SINGLE)
    assert figures["log_loss"] == pytest.approx(2 * np.exp(-20), rel=1e-5)


def test_progress_starts_where_a_run_resumes():
    watch, tasks = Watch(), ExitStack()
    callback = ProgressCallback("toy", tasks)
    with reporting(watch), tasks:
        callback.on_train_begin(None, SimpleNamespace(max_steps=9, global_step=4), None)
        callback.on_step_end(None, SimpleNamespace(max_steps=9, global_step=5), None)
        assert not watch.ended
    assert (watch.total, watch.resumed_from, watch.steps, watch.ended) == (9, 4, [5], 1)
