"""The evaluation where every row has a product and a page, from prediction files of this version and of older ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from distill.core.predictions import Predictions, write_predictions
from distill.core.project import Gates
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.entries import ModelFigures
from distill.evaluation.evaluate import Measuring, evaluate
from distill.evaluation.gates import retention_gates
from tests.evaluation.test_evaluate import (
    MODELS,
    PRIORS,
    REFERENCES,
    ROWS,
    SETTINGS,
    SIGNAL,
    SPACE,
    TESTS,
    all_tests,
    found_model,
    predictions,
    rewrite,
    run,
)

PAGES = {"valid": 60, "test.unseen": 60, "test.seen": 60}


@pytest.fixture
def folder(tmp_path):
    for name in SIGNAL:
        for split in ROWS:
            write_predictions(tmp_path / name / f"{split}.parquet", predictions(name, split))
    return tmp_path


def with_pages(p: Predictions, split: str, pages: int) -> Predictions:
    drawn = np.random.default_rng(ROWS[split]).integers(0, pages, len(p.ids))
    return dataclasses.replace(p, further=([f"{split}-page-{page}" for page in drawn],))


def by_both(folder, keys=("product.id", "page.id"), pages=PAGES):
    """The evaluation where every row has a page too."""
    for name in SIGNAL:
        for split in ROWS:
            rewrite(folder, name, split, lambda p, split=split: with_pages(p, split, pages[split]))
    measuring = Measuring(SPACE, SETTINGS, seed=1, priors=PRIORS, keys=keys)
    return evaluate(MODELS, TESTS, REFERENCES, {None: folder}, measuring)


def intervals(value, path=()):
    """Every `low` and `high` by its place."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from intervals(inner, (*path, key))
    elif path[-1] in ("low", "high") or "interval" in str(path[-2:]):
        yield path, value


def test_both_keys_are_drawn_and_only_intervals_change(folder):
    one, both = run(folder), by_both(folder)
    assert [(key["name"], key["values"], key["left_out"]) for key in both["keys"]] == [
        ("product.id", {"unseen": 35, "seen": 30, "all": 65}, []),
        ("page.id", {"unseen": pages_of("test.unseen"), "seen": pages_of("test.seen"), "all": pages_of(*TESTS)}, []),
    ]
    before, after = dict(intervals(one["models"])), dict(intervals(both["models"]))
    assert before.keys() == after.keys()
    assert sum(before[place] != after[place] for place in before) > len(before) / 2
    for a, b in zip(one["models"], both["models"], strict=True):
        assert a["quality"]["f1_macro"]["value"] == b["quality"]["f1_macro"]["value"]
        assert (a["thresholds"], a["temperature"]) == (b["thresholds"], b["temperature"])


def pages_of(*tests):
    """How many pages the tests have."""
    return sum(len(set(with_pages(predictions("8L@card", test), test, PAGES[test]).further[0])) for test in tests)


def weighted_f1(target, answer, weights):
    """Macro F1 of rows that count so often."""
    table = np.bincount(3 * target + answer, weights, 9).reshape(3, 3)
    return np.mean(2 * table.diagonal() / (table.sum(axis=0) + table.sum(axis=1)))


def test_retention_is_computed_on_each_draw_of_both_keys(folder):
    """Lower bound and all, from the formula on each draw, narrowed by what a row's weight moves."""
    model = found_model(by_both(folder), "8L@card")
    parts = [with_pages(predictions("8L@card", test), test, PAGES[test]) for test in TESTS]
    keys = np.array(
        [[value for part in parts for value in part.clusters], [v for part in parts for v in part.further[0]]]
    ).T
    numbers = np.unique(keys, return_inverse=True)[1].reshape(keys.shape)
    bootstrap = Bootstrap(len(keys), numbers, SETTINGS.replicates, seed=1)
    target = all_tests("8L@card")[0]
    answers = [all_tests(name)[1].argmax(1) for name in ("8L@card", "base@card")] + [np.zeros_like(target)]

    def kept(weights):
        s, t, m = (weighted_f1(target, one, weights) for one in answers)
        return (s - m) / (t - m)

    value = kept(np.ones(len(target)))
    moved = np.array([(kept(1 + 1e-5 * row) - kept(1 - 1e-5 * row)) / 2e-5 for row in np.eye(len(target))])
    factor = bootstrap.narrowing(moved[None])
    drawn = value + factor * (np.array([kept(draw) for draw in bootstrap.resample(np.eye(len(target)))]) - value)
    low, high = np.quantile(drawn, [0.025, 0.975])
    found = model["retention"]["card"]
    assert found["value"] == pytest.approx(value)
    assert (found["low"], found["high"]) == (pytest.approx(low, rel=1e-4), pytest.approx(high, rel=1e-4))
    gate = retention_gates(Gates(retention_card=low + 1e-3), [ModelFigures.from_json(model)])[0]
    assert gate.measured == found["low"] and not gate.passed


def test_a_page_key_with_few_values_is_left_out_and_named(folder):
    one = run(folder)
    found = by_both(folder, pages={**PAGES, "test.unseen": 9})
    assert found["keys"][1]["left_out"] == ["unseen"] and found["keys"][0]["left_out"] == []
    for a, b in zip(one["models"], found["models"], strict=True):
        assert a["tests"]["unseen"]["accuracy"] == b["tests"]["unseen"]["accuracy"]


def test_files_of_a_version_that_knew_one_key_are_drawn_by_it(folder):
    measuring = Measuring(SPACE, SETTINGS, seed=1, priors=PRIORS, keys=("product.id", "page.id"))
    found = evaluate(MODELS, TESTS, REFERENCES, {None: folder}, measuring)
    assert [key["name"] for key in found["keys"]] == ["product.id"]
    assert found["models"] == run(folder)["models"]
    for name in SIGNAL:
        rewrite(folder, name, "test.seen", lambda p: with_pages(p, "test.seen", 60))
    mixed = evaluate(MODELS, TESTS, REFERENCES, {None: folder}, measuring)
    assert [key["name"] for key in mixed["keys"]] == ["product.id"]
