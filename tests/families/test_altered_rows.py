"""What a recipe says of altered rows reaches the fit of an encoder, and what a view does not allow ends it."""

import pytest

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.core.swap import ViewSwap
from distill.models.encoder import load_classifier
from students.config import StudentConfig
from students.train import train
from tests.families.lessons import toy_lesson
from tests.training.toy import CARD, Watch, same_weights, toy_training


def _fitted(warm, records, folder, view=CARD, **alter):
    training = toy_training(max_steps=6, may_collapse=True, alter=alter)
    config = StudentConfig(preset="3L", layers=1, keep="first", training=training)
    train(config, toy_lesson(records, view, source=warm), folder)
    return load_classifier(folder)


def test_rows_are_altered_as_the_recipe_says(warm, records, tmp_path):
    plain = _fitted(warm, records, tmp_path / "plain")
    one, again = (_fitted(warm, records, tmp_path / name, swapped=0.5) for name in ("one", "again"))
    assert same_weights(one, again) and not same_weights(plain, one)


def test_a_swap_of_the_task_reaches_the_fit_with_the_labels_that_it_exchanges(warm, records, tmp_path):
    def fitted(name, order, **alter):
        swap = ViewSwap(fields=[["product.title", "page.title"]], order=order)
        return _fitted(warm, records, tmp_path / name, CARD.model_copy(update={"swap": swap}), **alter)

    off, both, other = fitted("off", [1, 0, 2], swapped=0), fitted("both", [1, 0, 2]), fitted("other", [0, 1, 2])
    assert not same_weights(off, both) and not same_weights(both, other)
    assert same_weights(off, _fitted(warm, records, tmp_path / "plain"))


def test_a_view_with_one_field_a_side_has_none_to_leave_out(warm, records, tmp_path):
    watch = Watch()
    with reporting(watch), pytest.raises(UserError, match="training.alter.field_dropout"):
        _fitted(warm, records, tmp_path / "s", field_dropout=0.5)
    assert not watch.steps
