"""The peer of the trainer, on a toy task."""

import numpy as np
import pytest

from benchmarks import plain_fine_tuning
from benchmarks.plain_fine_tuning import Recipe, fine_tune, main, read_cards, share_of_rate
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.objectives.single_label import SINGLE
from distill.core.record_store import read_records
from distill.evaluation.calibration import smoothed
from distill.evaluation.metrics import log_loss
from tests.training.toy import CARD, LABELS, WINDOWED, toy_encoder, toy_view, write_toy


@pytest.fixture
def run(tmp_path):
    """A prepared run with an encoder next to it."""
    toy_encoder(tmp_path / "encoder")
    write_toy(tmp_path / "run" / "records", train=60, valid=30, test=30)
    config = {"task": {"labels": list(LABELS)}, "views": {"card": CARD.model_dump(mode="json")}, "threads": 1}
    write_json(tmp_path / "run" / "run.json", {"config": config})
    return tmp_path / "run"


def command(run, *more):
    out = run.parent / "plain.json"
    rate = ["--rate", "3e-3", "--epochs", "1", "--seed", "2", "--out", str(out)]
    return [str(run), str(run.parent / "encoder"), *rate, *more], out


def test_text_and_cut_are_those_of_the_runs_own_models(run):
    cards = read_cards(run, run.parent / "encoder")
    records = read_records(run / "records", "test.seen")
    own = toy_view(run.parent / "encoder").renderer().encode_batch([record.fields for record in records])
    assert [window.ids for window in cards.parts["test"].windows] == [item.windows[0].ids for item in own]
    assert cards.labels == list(LABELS) and len(cards.parts["train"].windows) == 60


@pytest.mark.parametrize("bf16", [False, True])
def test_it_learns_in_both_precisions_and_repeats(run, monkeypatch, bf16):
    # With weights that autocast has kept from the first step, the loss stays above 0.7 here.
    monkeypatch.setattr("distill.inference.bf16.has_bf16", lambda device: bf16)
    asked, read = [], plain_fine_tuning.logits_of
    monkeypatch.setattr(plain_fine_tuning, "logits_of", lambda *given: asked.append(read(*given)) or asked[-1])
    cards, recipe = read_cards(run, run.parent / "encoder"), Recipe(rate=1e-2, epochs=16, seed=1)
    found, again = (fine_tune(cards, run.parent / "encoder", recipe) for _ in range(2))
    assert found["steps"] == 16 * 4 and found["rows"] == 60 and found["precision"] == ("bf16" if bf16 else "fp32")
    assert found["test"]["accuracy"] > 0.9 and found["test"]["log_loss_raw"] < 0.3
    gold = smoothed(np.asarray(cards.parts["valid"].target, np.float64), SINGLE)
    assert log_loss(asked[0] / found["temperature"], gold) <= log_loss(asked[0], gold) + 1e-6
    assert {**found, "seconds": 0} == {**again, "seconds": 0}


def test_a_file_from_the_same_rows_encoder_and_recipe_is_kept(run):
    arguments, out = command(run)
    assert main(arguments) == 0
    first = read_json(out)
    write_json(out, {**first, "seconds": -1.0})
    assert main(arguments) == 0 and read_json(out)["seconds"] == -1.0
    assert main([*arguments, "--max-steps", "2"]) == 0
    assert read_json(out)["steps"] == 2 and first["steps"] == 4
    write_toy(run / "records", train=48)
    assert main(arguments) == 0 and read_json(out)["rows"] == 48


def test_the_rate_rises_over_a_tenth_of_the_steps_and_falls_to_nothing():
    shares = [share_of_rate(step, 100) for step in range(101)]
    assert shares[0] == 0.1 and shares[9] == 1.0 and max(shares) == 1.0 and shares[100] == 0.0
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert all(0 < share_of_rate(step, 3) <= 1 for step in range(3))


def test_mistakes_are_named(run, capsys):
    arguments, _ = command(run)
    assert main([str(run / "gone"), *arguments[1:]]) == 2
    assert "distill audit" in capsys.readouterr().err
    config = read_json(run / "run.json")["config"]
    windowed = {**config, "views": {"card": WINDOWED.model_dump(mode="json")}}
    write_json(run / "run.json", {"config": windowed})
    with pytest.raises(UserError, match="one window"):
        read_cards(run, run.parent / "encoder")
