"""Each term against its value worked out by hand or by a slow loop, its gradient, and what it must not see."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from distill.core.errors import UserError
from distill.core.objectives.objective import objective
from distill.training.distillation_loss import DistillationLoss
from distill.training.losses.layer_term import layer_pairs
from distill.training.losses.registry import parse_terms
from distill.training.losses.term import Outputs, Projections, Sizes
from distill.training.objectives.row_losses import row_losses

WIDTH, HEADS, DEPTH = 4, 2, 3
# Two rows; the first is read in two windows. Of five places the windows use 3, 2 and 5.
OWNER, LENGTHS, PLACES = [0, 0, 1], [3, 2, 5], 5
WHOLE, SHORT = Sizes(6, 8, 2), Sizes(6, 8, 2, shortened=True)
FEATURES = ("hidden_states", "embedding_cosine", "attention", "value_relations", "attention_relations")


def term(name, **settings):
    return parse_terms({name: settings})[name]


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def model(seed, width=WIDTH, depth=DEPTH, rows=2, kind="single"):
    """What a random model says of the two rows."""
    windows = len(OWNER)
    mask = batch()["attention_mask"]
    scores = numbers(depth, windows, HEADS, PLACES, PLACES, seed=seed)
    attentions = scores.masked_fill(mask[:, None, None] == 0, -1e9).softmax(-1)
    parts = numbers(depth, 3, windows, PLACES, width, seed=seed + 1)
    return Outputs(
        logits=numbers(rows, 3, seed=seed + 2),
        objective=objective(kind, 3),
        hidden_states=tuple(numbers(depth + 1, windows, PLACES, width, seed=seed + 3)),
        attentions=tuple(attentions),
        projections=tuple(Projections(*layer, HEADS) for layer in parts),
    )


def batch(has_teacher=(1, 1)):
    mask = (torch.arange(PLACES) < torch.tensor(LENGTHS)[:, None]).long()
    return {
        "attention_mask": mask,
        "owner": torch.tensor(OWNER),
        "has_teacher": torch.tensor(has_teacher).bool(),
    }


def by_hand(distance):
    """Σ over rows of the mean over their tokens of `distance(window, token)`."""
    total = 0.0
    for row in sorted(set(OWNER)):
        tokens = [(w, t) for w, owner in enumerate(OWNER) if owner == row for t in range(LENGTHS[w])]
        total += sum(distance(w, t) for w, t in tokens) / len(tokens)
    return total


def test_kl_is_the_divergence_times_t_squared():
    student, teacher = model(0), model(10)
    logits = [[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]], [[1.0, 1.0, 0.0], [3.0, 0.0, 0.0]]
    student, teacher = (
        replace(one, logits=torch.tensor(values)) for one, values in zip((student, teacher), logits, strict=True)
    )
    expected = 0.0
    for ours, theirs in zip(*logits, strict=True):
        q, p = (torch.tensor(values).div(2).softmax(0).tolist() for values in (ours, theirs))
        expected += 4 * sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
    assert float(term("kl")(student, teacher, batch())) == pytest.approx(expected, rel=1e-5)
    assert float(term("kl")(student, student, batch())) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_kl_has_the_gradient_of_the_soft_cross_entropy(kind):
    teacher, gradients = model(10, kind=kind), []
    for name in ("kl", "soft_cross_entropy"):
        student = model(0, kind=kind)
        student.logits.requires_grad_()
        term(name, temperature=3)(student, teacher, batch((1, 0))).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(*gradients)
    assert gradients[0][0].abs().sum() > 0 and gradients[0][1].abs().sum() == 0


def test_logits_mse_is_the_mean_over_classes_and_centred_it_is_blind_to_a_shift():
    student = replace(model(0), logits=torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]).requires_grad_())
    teacher = replace(model(0), logits=torch.tensor([[2.0, 3.0, 7.0], [9.0, 9.0, 9.0]]))
    assert term("logits_mse")(student, teacher, batch((1, 0))).item() == pytest.approx((1 + 1 + 16) / 3)
    centred = term("logits_mse", centred=True)
    # The differences −1 −1 −4 have the mean −2: 1, 1, −2 are left.
    assert centred(student, teacher, batch()).item() == pytest.approx((1 + 1 + 4) / 3)
    term("logits_mse")(student, teacher, batch()).backward()
    assert (student.logits.grad < 0).all()
    assert not float(term("logits_mse")(student, teacher, batch((0, 0))))


def test_centred_logits_equal_the_soft_cross_entropy_of_a_high_temperature():
    """Its gradient is twice the other's, for T → ∞: (z_s − z_t) / C of centred logits."""
    gradients = []
    for loss in (term("logits_mse", centred=True), term("soft_cross_entropy", temperature=1e3)):
        student = replace(model(0), logits=model(0).logits.double().requires_grad_())
        teacher = replace(model(10), logits=model(10).logits.double())
        loss(student, teacher, batch()).backward()
        gradients.append(student.logits.grad)
    torch.testing.assert_close(gradients[0], 2 * gradients[1], rtol=1e-2, atol=1e-3)


def test_centred_logits_of_labels_that_do_not_compete_are_refused():
    assert not row_losses(objective("multi", 3)).shift_free
    with pytest.raises(UserError, match=r"losses.logits_mse[\s\S]*centred: of task.kind multi"):
        DistillationLoss((term("logits_mse", centred=True),), objective("multi", 3))
    DistillationLoss((term("logits_mse", centred=True),), objective("single", 3))
    DistillationLoss((term("logits_mse"),), objective("multi", 3))


def test_hidden_states_are_the_mean_over_pairs_tokens_and_width():
    student, teacher = model(0), model(10)
    pairs = [[0, 1], [2, 2]]

    def distance(window, token):
        found = [
            student.hidden_states[i + 1][window, token] - teacher.hidden_states[j + 1][window, token] for i, j in pairs
        ]
        return sum(float(one.square().mean()) for one in found) / len(found)

    found = term("hidden_states", layers=pairs)(student, teacher, batch())
    assert float(found) == pytest.approx(by_hand(distance), rel=1e-5)


def test_patient_states_are_directions_of_the_first_token():
    student, teacher = model(0), model(10)

    def direction(outputs, window):
        state = outputs.hidden_states[-1][window, 0]
        return state / state.norm()

    squares = [float((direction(student, w) - direction(teacher, w)).square().sum()) for w in range(3)]
    found = term("hidden_states", tokens="first", normalise=True)(student, teacher, batch())
    assert float(found) == pytest.approx((squares[0] + squares[1]) / 2 + squares[2], rel=1e-5)


def test_the_cosine_is_that_of_the_last_states():
    student, teacher = model(0), model(10)

    def distance(window, token):
        ours, theirs = (one.hidden_states[-1][window, token] for one in (student, teacher))
        return 1 - float(ours @ theirs / (ours.norm() * theirs.norm()))

    found = term("embedding_cosine")(student, teacher, batch())
    assert float(found) == pytest.approx(by_hand(distance), rel=1e-5)
    first = term("embedding_cosine", tokens="first")(student, teacher, batch())
    assert float(first) == pytest.approx((distance(0, 0) + distance(1, 0)) / 2 + distance(2, 0), rel=1e-5)


def test_attention_is_compared_head_by_head_over_the_real_keys():
    student, teacher = model(0), model(10)

    def distance(window, token):
        difference = student.attentions[-1][window, :, token] - teacher.attentions[-1][window, :, token]
        return float(difference[:, : LENGTHS[window]].square().sum(-1).mean())

    found = term("attention")(student, teacher, batch())
    assert float(found) == pytest.approx(by_hand(distance), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "kinds"), [("value_relations", ["values"]), ("attention_relations", ["queries", "keys", "values"])]
)
@pytest.mark.parametrize(("heads", "teacher_width"), [(None, 4), (4, 8), (1, 6)])
def test_relations_equal_a_loop(name, kinds, heads, teacher_width):
    student, teacher = model(0), model(10, width=teacher_width)

    def relation(outputs, kind, window, token, head):
        states = getattr(outputs.projections[-1], kind)[window, : LENGTHS[window]]
        part = states.shape[1] // (heads or HEADS)
        own = states[:, head * part : (head + 1) * part]
        return (own @ own[token] / math.sqrt(part)).softmax(0)

    def distance(window, token):
        total = 0.0
        for kind in kinds:
            for head in range(heads or HEADS):
                p, q = (relation(one, kind, window, token, head) for one in (teacher, student))
                total += float((p * (p / q).log()).sum()) / (heads or HEADS)
        return total

    found = term(name, relation_heads=heads)(student, teacher, batch())
    assert float(found) == pytest.approx(by_hand(distance), rel=1e-4)


@pytest.mark.parametrize("name", [*FEATURES, "kl", "logits_mse"])
def test_a_student_that_equals_its_teacher_has_no_loss(name):
    assert float(term(name)(model(0), model(0), batch())) == pytest.approx(0, abs=1e-6)
    assert float(term(name)(model(0), model(10), batch())) > 1e-3


def tensors(outputs):
    """The student's own tensors, by which a gradient may come back."""
    return [*outputs.hidden_states, *outputs.attentions, *(part for layer in outputs.projections for part in layer[:3])]


@pytest.mark.parametrize("name", FEATURES)
def test_a_step_down_the_gradient_lowers_the_loss(name):
    student, teacher = model(0), model(10)
    for one in tensors(student):
        one.requires_grad_()
    before = term(name)(student, teacher, batch())
    before.backward()
    moved = [one for one in tensors(student) if one.grad is not None and one.grad.abs().sum() > 0]
    assert moved
    with torch.no_grad():
        for one in moved:
            one -= 0.1 * one.grad / one.grad.norm()
    assert term(name)(student, teacher, batch()).item() < before.item()


@pytest.mark.parametrize("name", FEATURES)
def test_padding_is_neither_seen_nor_moved(name):
    """Whatever stands on padding, in states, attention or projections, the loss and its gradient stay."""
    student, teacher, other = model(0), model(10), model(20)
    padding = batch()["attention_mask"] == 0
    expected = float(term(name)(student, teacher, batch()))
    with torch.no_grad():
        for one, strange in zip(tensors(student), tensors(other), strict=True):
            one[padding if one.ndim == 3 else padding[:, None].expand(-1, HEADS, -1)] = strange.mean()
    for one in tensors(student):
        one.requires_grad_()
    found = term(name)(student, teacher, batch())
    found.backward()
    assert found.item() == pytest.approx(expected, rel=1e-6)
    gradients = [one.grad for one in tensors(student) if one.ndim == 3 and one.grad is not None]
    assert all(not gradient[padding].any() for gradient in gradients)


def part(outputs, windows, rows):
    """What a model says of some rows."""
    cut = lambda tensors: tuple(one[windows] for one in tensors)  # noqa: E731
    projections = tuple(Projections(*cut(layer[:3]), layer.heads) for layer in outputs.projections)
    states, attentions = cut(outputs.hidden_states), cut(outputs.attentions)
    return Outputs(outputs.logits[rows], outputs.objective, states, attentions, projections)


def alone(windows):
    """A batch of one row."""
    return {
        "attention_mask": batch()["attention_mask"][windows],
        "owner": torch.zeros(len(windows), dtype=torch.long),
        "has_teacher": torch.ones(1).bool(),
    }


@pytest.mark.parametrize("name", FEATURES)
def test_a_row_weighs_the_same_whatever_else_is_in_the_batch(name):
    student, teacher = model(0), model(10)
    whole = float(term(name)(student, teacher, batch()))
    total = 0.0
    for windows, row in (([0, 1], [0]), ([2], [1])):
        total += float(term(name)(part(student, windows, row), part(teacher, windows, row), alone(windows)))
    assert whole == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("name", FEATURES)
def test_rows_of_a_source_count_under_its_weight(name):
    """The first row, of two windows, twice and the second row once."""
    student, teacher = model(0), model(10)
    rows = [part(one, windows, row) for windows, row in (([0, 1], [0]), ([2], [1])) for one in (student, teacher)]
    own = [{**batch(), **alone(windows)} for windows in ([0, 1], [2])]
    first, second = term(name)(*rows[:2], own[0]), term(name)(*rows[2:], own[1])
    loss = DistillationLoss((term(name, sources={"train": {"weight": 2}}),), sources=["train", "pool.a"])
    found = loss(student, teacher, {**batch(), "source": torch.tensor([0, 1])})
    assert float(found) == pytest.approx((2 * float(first) + float(second)) / 2, rel=1e-5)


@pytest.mark.parametrize("name", ["hidden_states", "embedding_cosine"])
def test_narrower_states_go_through_one_map_of_the_right_shape(name):
    own, ours, theirs = term(name, layers="spread"), Sizes(2, 4, 2), Sizes(4, 6, 2)
    projection = own.projection(ours, theirs)
    assert [tuple(weight.shape) for weight in projection.parameters()] == [(6, 4)]
    assert own.projection(ours, ours) is None
    student, teacher = model(0, depth=2), model(10, width=6, depth=4)
    projected = projection(student.hidden_states)
    assert [tuple(one.shape) for one in projected] == [(3, 5, 6)] * 2
    found = own(replace(student, projected={type(own): projected}), teacher, batch())
    found.backward()
    assert found.item() > 0 and projection.map.weight.grad.abs().sum() > 0
    same = [teacher.hidden_states[0], teacher.hidden_states[2], teacher.hidden_states[4]]
    assert float(own(replace(student, projected={type(own): tuple(same[1:])}), teacher, batch())) == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.parametrize(
    ("layers", "student", "teacher", "expected"),
    [
        ("last", 3, 12, [(2, 11)]),
        ("spread", 3, 12, [(0, 3), (1, 7), (2, 11)]),
        ("spread", 8, 12, list(zip(range(8), [1, 2, 4, 5, 7, 8, 10, 11], strict=True))),
        ("spread", 4, 4, [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ([(0, 1), (2, 5)], 3, 6, [(0, 1), (2, 5)]),
    ],
)
def test_pairs_of_layers(layers, student, teacher, expected):
    assert layer_pairs(layers, student, teacher) == expected


@pytest.mark.parametrize(
    ("name", "settings", "student", "teacher", "message"),
    [
        (
            "hidden_states",
            {"layers": [[0, 1], [3, 5]]},
            Sizes(3, 8, 2),
            Sizes(6, 8, 2),
            r"\[3, 5\] of 3 student's and 6",
        ),
        ("attention", {"layers": [[0, 6]]}, Sizes(3, 8, 2), Sizes(6, 8, 2), r"losses.attention.layers"),
        ("attention", {}, Sizes(3, 8, 2), Sizes(6, 8, 4), r"other numbers of heads[\s\S]*2 and 4"),
        ("value_relations", {"relation_heads": 3}, Sizes(3, 6, 2), Sizes(6, 8, 2), "3 heads, widths 6 and 8"),
        ("attention_relations", {}, Sizes(3, 6, 2), Sizes(6, 8, 4), "4 heads, widths 6 and 8"),
        ("hidden_states", {}, SHORT, WHOLE, "compares every token, and the student's"),
        ("value_relations", {}, SHORT, WHOLE, "compares every token, and the student's"),
        ("attention", {}, SHORT, WHOLE, "compares every token, and the student's"),
        ("hidden_states", {}, WHOLE, SHORT, "compares every token, and the teacher's"),
        ("embedding_cosine", {"layers": [[0, 0]]}, WHOLE, SHORT, "compares every token, and the teacher's"),
        ("attention_relations", {}, WHOLE, SHORT, "compares every token, and the teacher's"),
        ("attention", {}, WHOLE, SHORT, "compares every token, and the teacher's"),
    ],
)
def test_models_that_cannot_be_compared_are_named(name, settings, student, teacher, message):
    with pytest.raises(UserError, match=message):
        term(name, **settings).check(student, teacher)


def test_models_that_can_be_compared_pass():
    for name in FEATURES:
        term(name, layers="spread").check(Sizes(3, 8, 2), Sizes(6, 8, 2))
    for models in ((SHORT, WHOLE), (WHOLE, SHORT)):
        term("hidden_states", tokens="first").check(*models)
