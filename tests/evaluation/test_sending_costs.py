"""What sending on costs, and the share that is chosen within what is allowed."""

from __future__ import annotations

import pytest

from distill.core.fall_through import FallThrough
from distill.evaluation.entries import LatencyRow
from distill.evaluation.sending_costs import priced

LATENCY = [
    LatencyRow(model="s.onnx", batch=1, p50_ms=2.0),
    LatencyRow(model="s.onnx", batch=8, p50_ms=1.0),
    LatencyRow(model="t@document", batch=1, p50_ms=50.0),
    LatencyRow(model="t@document.onnx", batch=1, p50_ms=40.0),
    LatencyRow(model="t@document.onnx-int8", batch=1, p50_ms=9.0, speed_only=True),
    LatencyRow(model="t@document2", batch=1, p50_ms=1.0),
]


def row(share, sent, valid, accuracy):
    return {
        "share": share,
        "sent": {"value": sent},
        "accuracy": {"value": 1 - share},  # the test would choose share 0
        "valid": {"sent": valid, "accuracy": accuracy, "f1_macro": -share},
    }


CURVE = {
    "model": "s.onnx",
    "teacher": "t@document",
    "decision": [
        *(row(0.0, 0.0, 0.0, 0.80), row(0.1, 0.12, 0.08, 0.86), row(0.2, 0.2, 0.2, 0.86)),
        *(row(0.3, 0.3, 0.3, 0.9), row(1.0, 1.0, 1.0, 0.95)),
    ],
}


def told(metric="accuracy", latency=LATENCY, curve=CURVE, **settings):
    return priced([curve], latency, FallThrough(**settings), metric)[0].as_json()


def test_costs_by_hand():
    found = told(money_per_1000=5)
    assert [one["ms"] for one in found["decision"]] == pytest.approx([2, 2 + 0.12 * 40, 10, 14, 42])
    assert [one["money_per_1000"] for one in found["decision"]] == pytest.approx([0, 0.6, 1, 1.5, 5])
    assert found["teacher_timed"] == "t@document.onnx" and "ms" not in CURVE["decision"][0]
    unknown = told(latency=LATENCY[:1])
    assert unknown["decision"][1]["ms"] is None is unknown["decision"][1]["money_per_1000"]


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({}, 0.1),  # as good as 0.2, and less is sent
        ({"most": 1}, 1.0),
        ({"most": 0.05}, 0.0),
        ({"most": 1, "latency_ms": 14}, 0.3),
        ({"most": 1, "latency_ms": 5.5}, 0.1),  # by the share of validation: 2 + 0.08 · 40
        ({"latency_ms": 1}, None),
    ],
)
def test_the_chosen_share_is_the_best_within_what_is_allowed(settings, share):
    assert told(**settings)["chosen"] == share


def test_what_the_choice_goes_by():
    assert told("log_loss")["judged_by"] == "f1_macro" and told("log_loss")["chosen"] == 0
    positive = [{**one, "valid": {**one["valid"], "f1": one["share"]}} for one in CURVE["decision"]]
    found = told("f1_positive", curve={**CURVE, "positive": positive}, most=0.3)
    assert (found["judged_by"], found["chosen"]) == ("f1", 0.3)
    assert told("f1_positive")["judged_by"] == "f1_macro"


def test_without_a_half_that_judges_the_greatest_share_is_taken():
    rows = [{key: value for key, value in one.items() if key != "valid"} for one in CURVE["decision"]]
    assert told(curve={**CURVE, "decision": rows})["chosen"] == 0.2
    assert told(curve={**CURVE, "decision": rows}, latency_ms=7)["chosen"] == 0.1
    assert told(latency=[], latency_ms=7)["chosen"] is None
