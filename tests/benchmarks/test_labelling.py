"""The benchmark of labelling: every side reads the same tokens, and says what it computes in."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import labelling, labelling_sides
from benchmarks.gpu.labelling import bounds
from benchmarks.labelling import Side, cells, compared
from benchmarks.labelling_inputs import Job, export
from benchmarks.peers import labelling_peer
from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.soft_labels import read_soft_labels
from distill.models.fresh import Shape, make_encoder

WORDS = "drill saw red blue small large 12 volt battery charger bosch makita set case".split()


def _offers(count, seed):
    chance = np.random.default_rng(seed)

    def side():
        return {
            "title": " ".join(chance.choice(WORDS, 4)),
            "description": " ".join(chance.choice(WORDS, 9)),
            "price": 3,
        }

    return [{"id": f"{seed}-{n}", "left": side(), "right": side(), "label": n % 2} for n in range(count)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """What the sides are given: 20 rows in two blocks, and an encoder with a fitted head."""
    place = tmp_path_factory.mktemp("labelling")
    (place / "wdc_products").mkdir()
    for name, count in (("train_small", 24), ("test_unseen", 20)):
        lines = "".join(json.dumps(row) + "\n" for row in _offers(count, count))
        (place / "wdc_products" / f"{name}.jsonl").write_text(lines)
    texts = (text for row in _offers(40, 40) for side in (row["left"], row["right"]) for text in (side["title"], "3"))
    (place / "encoder").mkdir()
    make_encoder(texts, place / "encoder", Shape(layers=2, width=16, heads=2, vocabulary=150), 1)
    job = Job(place, place / "encoder", rows=20, blocks=2, threads=1, batch_tokens=200)
    return job, place / "work", export(job, place / "work")


def test_every_side_reads_the_same_tokens(inputs, capsys):
    """The pipeline of transformers, which tokenises by itself, gives the logits that are written to our shards."""
    job, work, about = inputs
    assert [len(lengths) for lengths in about["lengths"]] == [10, 10]
    labelling_sides.serve(work, "torch-fp32", ["1", "0"])
    first, *answers = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"dtype": "float32", "threads": 1} and all(one["seconds"] > 0 for one in answers)
    stored = read_soft_labels(work / "labels" / "torch-fp32")
    ours = np.concatenate([np.load(work / f"torch-fp32-{block}.npy") for block in (0, 1)])
    np.testing.assert_array_equal(stored.logits, ours)
    score, dtype = labelling_peer.pipeline(work, read_json(work / "job.json"), torch.float32)
    theirs = np.concatenate([score(pairs) for pairs in read_json(work / "pairs.json")])
    assert dtype == "float32" and np.ptp(ours) > 0.01
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_the_peak_is_given_in_both_precisions(inputs, capsys, monkeypatch):
    monkeypatch.setattr(labelling_sides, "_SIZE", 32)
    labelling_sides.serve(inputs[1], "peak", ["0"])
    assert set(json.loads(capsys.readouterr().out.splitlines()[1])) == {"fp32", "bf16"}


def _side(code, precision="fp32"):
    return Side("peer", [sys.executable, "-c", code], SimpleNamespace(threads=1), precision)


def test_a_side_in_other_numbers_or_without_an_answer_is_named():
    said = 'print(\'{"dtype": "%s", "threads": %d}\', flush=True);'
    with _side(said % ("float32", 1) + "print('{\"seconds\": 2}')") as side:
        side.wait()
        assert side.label(0) == {"seconds": 2}
        with pytest.raises(UserError, match="'peer' ended without a result"):
            side.label(1)
    for dtype, threads in (("bfloat16", 1), ("float32", 2)):
        with _side(said % (dtype, threads)) as side, pytest.raises(UserError, match=dtype):
            side.wait()
    with (
        _side("raise SystemExit('no such peer')") as side,
        pytest.raises(UserError, match=r"(?s)no such peer.*sentence_transformers\.txt"),
    ):
        side.wait()
    with pytest.raises(UserError, match=r"(?s)No such file.*sentence_transformers\.txt"):
        Side("peer", ["/nowhere/python"], SimpleNamespace(threads=1), "fp32")


def _told(*seconds):
    return [{"seconds": one, "cpu_seconds": 2 * one} for one in seconds]


def test_ratios_are_medians_over_rounds_and_bounds_take_sides_that_are_close_enough():
    rounds = {
        "peak": [{"fp32": 1.0, "bf16": 2.0}] * 3,
        "torch-fp32": _told(2, 2, 4),
        "torch-bf16": _told(0.5, 0.5, 1),
        "torch-bf16-2": _told(1, 1, 2),
        "openvino-bf16": _told(0.5, 0.5, 1),
        "cross-encoder": _told(3, 4, 8),
    }
    changes = {"torch-bf16": 0.011, "torch-bf16-2": 0.005, "openvino-bf16": 0.02, "cross-encoder": 1e-6}
    found = compared(rounds, changes)
    assert found["ratios"]["torch-fp32_vs_cross-encoder"] == 2.0
    assert found["intervals"]["torch-fp32_vs_cross-encoder"] == [1.5, 2.0]
    assert [(one["precision"], one["measured"], one["passed"]) for one in found["bounds"]] == [
        ("bf16", 4.0, True),  # with all layers in bf16 it is faster, and a logit changes by more than 1e-2
        ("fp32", 2.0, True),
    ]
    inputs = {"lengths": [[10, 20], [10], [30]], "layers": 1, "width": 4}
    shown = cells(rounds, inputs, changes)
    assert shown["torch-fp32"]["pairs_per_s"] == 0.5 and shown["openvino-bf16"]["largest_change"] == 0.02
    assert set(shown) == set(rounds) - {"peak"}


def test_the_cards_bounds_are_read_off_the_cells():
    large = {"layers": 12, "width": 768, "mean_tokens": 160}
    made = [
        {**large, "unpadded": False, "pairs_per_s": 5000, "share_of_peak": 0.3},
        {**large, "unpadded": True, "pairs_per_s": 9000, "share_of_peak": 0.5},
        {**large, "mean_tokens": 128, "unpadded": True, "pairs_per_s": 9999, "share_of_peak": 0.46},
    ]
    found = {one["what"]: one["measured"] for one in bounds(made)}
    assert found == {
        "share of the peak, 12 × 768, 128 tokens": 0.46,
        "pairs/s, 12 × 768, 160 tokens": 9000,
        "unpadded over padded, 12 × 768": 1.8,
    }
    assert bounds([]) == []


def test_without_a_peers_python_or_so_many_rows_it_says_what_to_give(inputs, capsys):
    job = inputs[0]
    given = ["--data", str(job.data), "--encoder", str(job.encoder), "--against", "pipeline", "--sides", "torch-fp32"]
    assert labelling.main([*given, "--rows", "21"]) == 2
    assert "--rows" in capsys.readouterr().err
