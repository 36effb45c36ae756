"""The losses against a slow float64 reference written from the formulas, and at their limits."""

import math

import pytest
import torch

from distill.core.objectives.objective import objective
from distill.training.losses.term import Outputs
from distill.training.objectives.row_losses import row_losses
from tests.training.toy import toy_loss

ROWS, CLASSES = 6, 3
SOFT = {kind: row_losses(objective(kind, CLASSES)).soft for kind in ("single", "multi")}
HARD = {kind: row_losses(objective(kind, CLASSES)).hard for kind in SOFT}
TEMPERATURES = [0.5, 1.0, 2.0, 20.0]


def _softmax(row):
    top = max(row)
    powers = [math.exp(value - top) for value in row]
    return [power / sum(powers) for power in powers]


def _sigmoid(value):
    return 1 / (1 + math.exp(-value))


def _cross_entropy(target, logits):
    return -sum(t * math.log(p) for t, p in zip(target, _softmax(logits), strict=True))


def _binary_cross_entropy(target, logits):
    terms = [t * math.log(_sigmoid(z)) + (1 - t) * math.log(_sigmoid(-z)) for t, z in zip(target, logits, strict=True)]
    return -sum(terms) / len(terms)


def _reference_hard(kind, logits, target):
    return (_cross_entropy if kind == "single" else _binary_cross_entropy)(target, logits)


def _reference_soft(kind, student, teacher, temperature):
    student, teacher = [z / temperature for z in student], [z / temperature for z in teacher]
    target = _softmax(teacher) if kind == "single" else [_sigmoid(z) for z in teacher]
    return temperature**2 * _reference_hard(kind, student, target)


def _loss(temperature, alpha, kind="single"):
    """The loss as a function of logits and a batch."""
    own = objective(kind, CLASSES)
    loss = toy_loss(temperature, alpha, own)
    return lambda logits, batch: loss(Outputs(logits, own), Outputs(batch["teacher_logits"], own), batch)


def _reference(temperature, alpha, kind, logits, batch):
    """Mean over rows of [has soft labels]·soft + α·[has gold]·hard."""
    total = 0.0
    for row in range(len(logits)):
        values = logits[row].tolist()
        if batch["has_teacher"][row]:
            total += _reference_soft(kind, values, batch["teacher_logits"][row].tolist(), temperature)
        if batch["has_gold"][row]:
            total += alpha * _reference_hard(kind, values, batch["target"][row].tolist())
    return total / len(logits)


def _logits(seed, rows=ROWS, scale=2.0):
    return torch.randn(rows, CLASSES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def _target(kind):
    if kind == "multi":
        return torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1]] * 2, dtype=torch.float64)
    return torch.tensor([[1, 0, 0], [0, 0.25, 0.75], [0, 0, 1]] * 2, dtype=torch.float64)


def _batch(kind, has_teacher=(1, 1, 0, 0, 1, 1), has_gold=(1, 0, 1, 0, 1, 0)):
    return {
        "teacher_logits": _logits(2),
        "target": _target(kind),
        "has_teacher": torch.tensor(has_teacher).bool(),
        "has_gold": torch.tensor(has_gold).bool(),
    }


def _gradient(loss_of, logits):
    logits = logits.clone().requires_grad_()
    loss_of(logits).backward()
    return logits.grad


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("scale", [0.1, 3.0, 12.0])
def test_soft_terms_equal_the_reference(kind, temperature, scale):
    student, teacher = _logits(0, scale=scale), _logits(1, scale=scale)
    expected = [
        _reference_soft(kind, *rows, temperature) for rows in zip(student.tolist(), teacher.tolist(), strict=True)
    ]
    found = SOFT[kind](student, teacher, temperature)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", HARD)
def test_hard_terms_equal_the_reference(kind):
    logits, target = _logits(0), _target(kind)
    expected = [_reference_hard(kind, *rows) for rows in zip(logits.tolist(), target.tolist(), strict=True)]
    torch.testing.assert_close(HARD[kind](logits, target), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 3.0])
def test_mixed_batch_equals_the_reference(kind, temperature, alpha):
    loss, logits, batch = _loss(temperature, alpha, kind), _logits(0), _batch(kind)
    assert float(loss(logits, batch)) == pytest.approx(_reference(temperature, alpha, kind, logits, batch), rel=1e-5)


@pytest.mark.parametrize("kind", SOFT)
def test_large_logits_stay_finite(kind):
    student, teacher = _logits(0, scale=1e4).float(), _logits(1, scale=1e4).float()
    gradient = _gradient(
        lambda z: SOFT[kind](z, teacher, 1.0).sum() + HARD[kind](z, _target(kind).float()).sum(), student
    )
    assert torch.isfinite(gradient).all() and torch.isfinite(SOFT[kind](student, teacher, 1.0)).all()


@pytest.mark.parametrize(("kind", "share"), [("single", 1 / CLASSES), ("multi", 1 / (4 * CLASSES))])
def test_large_temperature_matches_logits(kind, share):
    """T → ∞: the gradient is that of matching centred logits, (z_s − z_t) / C; for sigmoids (z_s − z_t) / 4C."""
    student, teacher = _logits(0), _logits(1)
    difference = student - teacher
    if kind == "single":
        difference = difference - difference.mean(1, keepdim=True)
    gradient = _gradient(lambda z: SOFT[kind](z, teacher, 1e4).sum(), student)
    torch.testing.assert_close(gradient, difference * share, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", SOFT)
def test_temperature_leaves_the_scale_of_small_gradients(kind):
    student, teacher = _logits(0, scale=0.02), _logits(1, scale=0.02)
    norms = [_gradient(lambda z, t=t: SOFT[kind](z, teacher, t).sum(), student).norm() for t in (1.0, 2.0, 8.0)]
    assert max(norms) / min(norms) < 1.05


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_equal_logits_have_no_soft_gradient(kind, temperature):
    student = _logits(0)
    gradient = _gradient(lambda z: SOFT[kind](z, student.clone(), temperature).sum(), student)
    assert gradient.abs().max() < 1e-12
    moved = _gradient(lambda z: SOFT[kind](z, student + torch.tensor([1.0, 0, 0]), temperature).sum(), student)
    assert moved.abs().max() > 1e-4


@pytest.mark.parametrize("kind", SOFT)
def test_rows_count_the_same_whatever_else_is_in_the_batch(kind):
    loss, logits, batch = _loss(2.0, 0.5, kind), _logits(0).float(), _batch(kind)
    alone = [
        loss(logits[row : row + 1], {name: values[row : row + 1] for name, values in batch.items()})
        for row in range(ROWS)
    ]
    torch.testing.assert_close(loss(logits, batch), torch.stack(alone).mean(), check_dtype=False)
    together = _gradient(lambda z: loss(z, batch), logits) * ROWS
    for row in range(ROWS):
        part = {name: values[row : row + 1] for name, values in batch.items()}
        torch.testing.assert_close(
            together[row : row + 1], _gradient(lambda z, p=part: loss(z, p), logits[row : row + 1])
        )


@pytest.mark.parametrize("kind", SOFT)
def test_without_gold_only_the_soft_term_is_left(kind):
    batch, logits = _batch(kind, has_teacher=[1] * ROWS, has_gold=[0] * ROWS), _logits(0).float()
    expected = SOFT[kind](logits, batch["teacher_logits"].float(), 2.0).mean()
    torch.testing.assert_close(_loss(2.0, 0.5, kind)(logits, batch), expected, check_dtype=False)


@pytest.mark.parametrize("kind", SOFT)
def test_without_teacher_only_the_hard_term_is_left(kind):
    batch, logits = _batch(kind, has_teacher=[0] * ROWS, has_gold=[1] * ROWS), _logits(0).float()
    expected = 0.5 * HARD[kind](logits, batch["target"].float()).mean()
    torch.testing.assert_close(_loss(2.0, 0.5, kind)(logits, batch), expected, check_dtype=False)


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize(("alpha", "has_gold"), [(1.0, 0), (0.0, 1)])
def test_nothing_to_learn_from_is_zero_with_a_graph(kind, alpha, has_gold):
    batch = _batch(kind, has_teacher=[0] * ROWS, has_gold=[has_gold] * ROWS)
    gradient = _gradient(lambda z: _loss(2.0, alpha, kind)(z, batch), _logits(0))
    assert (gradient == 0).all() and float(_loss(2.0, alpha, kind)(_logits(0), batch)) == 0


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("junk", [math.nan, math.inf])
def test_rows_that_are_not_read_may_hold_anything(kind, junk):
    loss, logits, batch = _loss(2.0, 0.5, kind), _logits(0).float(), _batch(kind)
    clean = _gradient(lambda z: loss(z, batch), logits)
    batch["teacher_logits"][~batch["has_teacher"]] = junk
    batch["target"][~batch["has_gold"]] = junk
    assert torch.equal(_gradient(lambda z: loss(z, batch), logits), clean)
    batch["has_teacher"][:] = True
    assert not torch.equal(_gradient(lambda z: loss(z, batch), logits), clean)


@pytest.mark.parametrize("kind", SOFT)
def test_alpha_zero_does_not_read_gold(kind):
    loss, batch = _loss(2.0, 0.0, kind), _batch(kind)
    clean = loss(_logits(0), batch)
    batch["target"][:] = math.nan
    assert torch.equal(loss(_logits(0), batch), clean)


def test_half_precision_logits_are_read_in_float32():
    loss, batch = _loss(2.0, 0.5), _batch("single")
    logits = _logits(0).bfloat16()
    found = loss(logits, {name: v.float() if v.is_floating_point() else v for name, v in batch.items()})
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(_reference(2.0, 0.5, "single", logits.double(), batch), rel=1e-5)


@pytest.mark.parametrize("kind", SOFT)
def test_shapes_that_differ_are_both_shown(kind):
    with pytest.raises(ValueError, match=r"\(6, 3\).*\(1, 3\)"):
        SOFT[kind](_logits(0), _logits(1)[:1], 1.0)


@pytest.mark.parametrize("kind", SOFT)
@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperature_must_be_positive(kind, temperature):
    with pytest.raises(ValueError, match="temperature must be > 0"):
        SOFT[kind](_logits(0), _logits(1), temperature)
