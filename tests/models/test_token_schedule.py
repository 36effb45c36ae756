"""Layers that read several tokens as one: what they read, in every family that is known to, and what is kept of it."""

import copy
import json

import pytest
import torch

from distill.core.errors import UserError
from distill.core.schedule import is_schedule
from distill.models.encoder import load_classifier
from distill.models.first_token import first_token_only
from distill.models.token_schedule import set_schedule, stored_schedule
from distill.models.truncation import keep_layers
from tests.models.folders import edit_config

FAMILIES = ["bert", "roberta", "xlm-roberta", "electra", "distilbert", "mpnet"]
LENGTHS = [14, 9, 4, 2]


def states(model, inputs):
    with torch.no_grad():
        found = model(**inputs, output_hidden_states=True)
    return found.logits, found.hidden_states


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_rows_logits_do_not_depend_on_its_batch(make_model, make_inputs, family, attention):
    model = make_model(family, attention=None if family == "mpnet" else attention)
    inputs = make_inputs(LENGTHS)
    plain = states(model, inputs)[0]
    set_schedule(model, [1, 2, 2, 4])
    together = states(model, inputs)[0]
    alone = [
        states(model, {name: values[row : row + 1, :length] for name, values in inputs.items()})[0]
        for row, length in enumerate(LENGTHS)
    ]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-6, rtol=1e-4)
    assert (together - plain)[0].abs().max() > 1e-2
    set_schedule(model, None)
    assert torch.equal(states(model, inputs)[0], plain) and not hasattr(model.config, "distill")


def test_a_position_is_the_mean_of_its_real_tokens_and_the_first_stays_alone(make_model, make_inputs):
    """Worked out by a loop over positions, and given to the untouched layer."""
    model, inputs = make_model("bert", layers=2, attention="eager"), make_inputs([8, 6])
    _, plain = states(model, inputs)
    set_schedule(model, [1, 3])
    seen = []
    handle = model.bert.encoder.layer[1].attention.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    logits, shorter = states(model, inputs)
    handle.remove()
    groups = [[0], [1, 2, 3], [4, 5, 6], [7]]
    for row, length in enumerate([8, 6]):
        for place, group in enumerate(groups):
            real = [token for token in group if token < length]
            if real:
                torch.testing.assert_close(seen[0][row, place], plain[1][row, real].mean(0))
    assert shorter[-1].shape[1] == 4 and torch.isfinite(logits).all()


def test_a_schedule_of_ones_changes_nothing(make_model, make_inputs):
    model, inputs = make_model("bert"), make_inputs(LENGTHS)
    plain = states(model, inputs)[0]
    set_schedule(model, [1, 1, 1, 1])
    assert torch.equal(states(model, inputs)[0], plain)


@pytest.mark.parametrize("family", ["bert", "distilbert", "mpnet"])
def test_it_is_saved_loaded_and_met_by_the_shorter_last_layer(make_model, make_inputs, tmp_path, family):
    model, inputs = make_model(family), make_inputs(LENGTHS)
    set_schedule(model, [1, 2, 2, 4])
    expected = states(model, inputs)[0]
    model.save_pretrained(tmp_path)
    again = load_classifier(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["distill"] == {"token_schedule": [1, 2, 2, 4]}
    torch.testing.assert_close(states(again, inputs)[0], expected)
    assert first_token_only(again) == (family != "mpnet")
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).logits, expected, atol=1e-5, rtol=1e-4)
    assert set(again.state_dict()) == set(model.state_dict())


def test_layers_that_are_kept_keep_their_part_of_it(make_model, make_inputs):
    model, inputs = make_model("bert"), make_inputs(LENGTHS)
    set_schedule(model, [1, 2, 2, 4])
    small = copy.deepcopy(model)
    keep_layers(small, [0, 2, 3])
    assert stored_schedule(small.config) == [1, 2, 4] and stored_schedule(model.config) == [1, 2, 2, 4]
    assert [states(small, inputs)[1][layer].shape[1] for layer in (1, 2, 3)] == [14, 8, 5]
    expected = states(small, inputs)[0]
    set_schedule(small, [1, 2, 4])
    assert torch.equal(states(small, inputs)[0], expected)


@pytest.mark.parametrize("family", ["modernbert", "deberta-v2", "roberta-prelayernorm"])
def test_another_family_is_refused_by_name(make_model, family):
    with pytest.raises(UserError, match=f"model_type '{family}'"):
        set_schedule(make_model(family), [1, 1, 2, 2])


@pytest.mark.parametrize("schedule", [[1, 2], [1, 2, 3], [2, 1, 1], [0, 1, 1], ["1", "2", "2"], "122", [1, 1.0, 2]])
def test_a_schedule_in_a_config_that_fits_no_layers_is_refused(saved, schedule):
    edit_config(saved, distill={"token_schedule": schedule})
    with pytest.raises(UserError, match=r"token_schedule[\s\S]*3 layers"):
        load_classifier(saved)


def test_what_a_schedule_is():
    assert is_schedule([1, 1, 2, 4]) and is_schedule([2, 2])
    assert not any(map(is_schedule, ([], [1, 2, 3], [2, 1], [0], [True], ["1"], (1, 2), None)))
