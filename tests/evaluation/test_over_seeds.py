"""Means over seeds: against each seed's own evaluation, and against a bootstrap written out in a loop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.predictions import Predictions, read_predictions, write_predictions
from distill.evaluation import over_seeds
from distill.evaluation.bootstrap import Bootstrap
from distill.evaluation.evaluate import Measuring, evaluate
from distill.evaluation.figure import SHARE, Figure
from distill.evaluation.influence import influence
from distill.evaluation.metrics import Tally
from distill.evaluation.over_seeds import Seeded
from distill.evaluation.quality import _per_class as class_figures
from distill.evaluation.scored import Scored
from distill.evaluation.statistics import whole_interval
from tests.evaluation.test_evaluate import MODELS, PRIORS, REFERENCES, ROWS, SETTINGS, SIGNAL, SPACE, TESTS, predictions

SEEDS = (3, 1, 8)


def seeded(name: str, split: str, seed: int) -> Predictions:
    """The rows of `predictions` with noise of the seed's own."""
    plain = predictions(name, split)
    noise = np.random.default_rng([seed, *name.encode(), ROWS[split]]).normal(size=plain.logits.shape)
    return dataclasses.replace(plain, logits=(plain.logits + noise).astype(np.float32))


@pytest.fixture
def folders(tmp_path):
    found = {seed: tmp_path / f"seed-{seed}" for seed in SEEDS}
    for seed, folder in found.items():
        for name in SIGNAL:
            for split in ROWS:
                write_predictions(folder / name / f"{split}.parquet", seeded(name, split, seed))
    return found


def combined(folders, models=MODELS):
    return evaluate(models, TESTS, REFERENCES, folders, Measuring(SPACE, SETTINGS, 1, PRIORS))


def alone(folder):
    return evaluate(MODELS, TESTS, REFERENCES, {None: folder}, Measuring(SPACE, SETTINGS, 1, PRIORS))


def leaves(value, path=()):
    """(path, number or None) of everything in nested dictionaries and lists."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    elif not isinstance(value, str):
        yield path, value


@pytest.mark.parametrize("count", [1, 3])
def test_equal_seeds_give_the_figures_of_one(folders, count):
    one = alone(folders[3])
    many = combined({seed: folders[3] for seed in range(count)})
    found = {path: value for path, value in leaves(many) if "spread" not in str(path) and path[0] != "seeds"}
    expected = {path: value for path, value in leaves(one) if count == 1 or "mcnemar" not in path}  # a test of one seed
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        assert found[path] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)), path
    has_spread = any("spread" in str(path) for path, _ in leaves(many))
    assert has_spread == (count > 1)


def test_every_figure_is_the_mean_of_the_seeds_with_their_ends(folders):
    many, single = combined(folders), [alone(folder) for folder in folders.values()]
    assert many["seeds"] == list(SEEDS)
    for index, model in enumerate(many["models"]):
        own = [one["models"][index] for one in single]
        for block, blocks in [
            (model["quality"], [one["quality"] for one in own]),
            (model["tests"]["seen"], [one["tests"]["seen"] for one in own]),
        ]:
            for name in ("accuracy", "f1_macro", "log_loss", "ece"):
                values = [one[name]["value"] for one in blocks]
                assert block[name]["value"] == pytest.approx(np.mean(values))
                assert block[name]["spread"] == pytest.approx([min(values), max(values)])
            for part in ("accuracy", "f1_macro", "f1_positive"):
                values = [one["slices"]["аптека"][part] for one in blocks]
                assert block["slices"]["аптека"][part] == pytest.approx(np.mean(values))
            for part in ("precision", "recall", "f1"):
                values = [one["per_class"]["точно"][part] for one in blocks]
                assert block["per_class"]["точно"][part] == pytest.approx(np.mean(values))
            if model["name"] in ("majority", "random"):
                continue
            points = [one["positive"]["operating_points"]["f1"] for one in blocks]
            for part in ("threshold", "accuracy", "precision", "recall", "f1"):
                expected = np.mean([point[part] for point in points])
                assert block["positive"]["operating_points"]["f1"][part] == pytest.approx(expected)


def test_retention_is_the_mean_ratio_not_the_ratio_of_means(folders):
    ratios = [alone(folder)["models"][2]["retention"]["card"]["value"] for folder in folders.values()]
    found = combined(folders)["models"][2]["retention"]["card"]
    assert found["value"] == pytest.approx(np.mean(ratios))
    assert found["spread"] == pytest.approx([min(ratios), max(ratios)])
    assert found["low"] < found["value"] < found["high"]


def test_a_difference_is_the_mean_of_paired_differences(folders):
    single = [alone(folder)["comparisons"] for folder in folders.values()]
    for index, row in enumerate(combined(folders)["comparisons"]):
        values = [one[index]["difference"] for one in single]
        assert (row["a"], row["b"], row["metric"]) == tuple(single[0][index][key] for key in ("a", "b", "metric"))
        assert row["difference"] == pytest.approx(np.mean(values))
        assert row["low"] <= row["difference"] <= row["high"] and 0 < row["p_value"] <= 1


def test_a_replicate_draws_the_same_clusters_in_every_seed():
    """Against the definition: draw clusters, take each seed's accuracy on the draw, then the mean over seeds."""
    random, rows, clusters = np.random.default_rng(0), 80, np.arange(80) // 2
    gold = random.integers(0, 3, rows)
    answers = [np.where(random.random(rows) < 0.7, gold, (gold + 1) % 3) for _ in range(3)]
    ids = [str(row) for row in range(rows)]
    scored = [Scored("m", SPACE, ids, np.eye(3)[answer], np.eye(3)[gold], clusters=clusters) for answer in answers]
    bootstrap = Bootstrap(rows, clusters, 100, seed=5)
    found = Seeded(scored, bootstrap).metric("accuracy")
    weights = bootstrap.resample(np.eye(rows))
    expected = np.array([[np.average(answer == gold, weights=draw) for draw in weights] for answer in answers])
    np.testing.assert_allclose(found.resampled, expected)
    low, high = np.quantile(expected.mean(axis=0), [0.025, 0.975])
    assert (found.mean()["low"], found.mean()["high"]) == pytest.approx((low, high))
    apart = np.quantile(expected, [0.025, 0.975], axis=1)
    assert high - low < (apart[1] - apart[0]).mean()


def test_a_point_that_one_seed_cannot_reach_is_reached_by_none(folders):
    path = folders[1] / "8L@card" / "valid.parquet"
    valid = read_predictions(path)
    write_predictions(path, dataclasses.replace(valid, logits=np.zeros_like(valid.logits)))
    model = combined(folders)["models"][2]
    assert model["thresholds"]["recall@P>=0.9"] is None
    assert model["quality"]["positive"]["operating_points"]["recall@P>=0.9"] is None
    assert model["quality"]["positive"]["operating_points"]["f1"] is not None


def test_seeds_on_other_rows_are_refused(folders):
    path = folders[8] / "8L@card" / "test.seen.parquet"
    rows = read_predictions(path)
    write_predictions(path, dataclasses.replace(rows, ids=rows.ids[::-1]))
    with pytest.raises(UserError, match="same rows only"):
        combined(folders)


def figure(values, resampled):
    rows = np.asarray(resampled, float)
    return Figure(np.asarray(values, float), rows, Bootstrap(30, None, rows.shape[1]))


def test_seeds_that_are_apart_widen_the_interval_by_students_t():
    """Rows that change nothing: what is left is the textbook interval of a mean of 3."""
    values = [0.70, 0.74, 0.69]
    found = figure(values, np.tile(np.array(values)[:, None], 4000)).mean()
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) / np.sqrt(3)
    mean = np.mean(values)
    assert (found["low"], found["high"]) == pytest.approx((mean - half, mean + half), abs=0.15 * half)


def test_what_rows_explain_of_the_seeds_is_not_counted_twice():
    random = np.random.default_rng(0)
    drawn = 0.7 + random.normal(scale=0.02, size=(3, 500))
    values = [0.70, 0.71, 0.69]  # less apart than three sets of rows would be
    one = figure(values, drawn)
    low, high = np.quantile(drawn.mean(axis=0), [0.025, 0.975])
    assert (one.mean()["low"], one.mean()["high"]) == pytest.approx((low, high))


def test_an_interval_stays_where_the_figure_can_be():
    wide = figure([0.2, 0.9], np.tile([[0.2], [0.9]], 200))
    assert wide.mean()["low"] < 0 and wide.mean()["high"] > 1
    share = dataclasses.replace(wide, limits=SHARE).mean()
    assert (share["low"], share["high"]) == (0.0, 1.0)
    nothing = dataclasses.replace(wide, values=np.zeros(2), resampled=np.zeros((2, 200)), limits=SHARE)
    apart = (dataclasses.replace(wide, limits=SHARE) - nothing).mean_difference()
    assert (apart["low"], apart["high"]) == (-1.0, 1.0)


def test_a_seed_without_a_figure_leaves_none():
    one = figure([0.5, np.nan], np.array([[0.5] * 50, [np.nan] * 50]))
    assert one.mean() == {"value": None, "low": None, "high": None, "spread": [None, None]}
    assert one.mean_difference()["p_value"] is None


def test_figures_of_a_class_are_those_of_all_sums_from_the_sums_of_the_class_alone(monkeypatch):
    """Rows of two keys, two seeds, a class that draws lack: linear in classes, and as by the figures of them all."""
    random, space, widths = np.random.default_rng(4), LabelSpace(tuple("abcdef")), []
    gold = np.where(np.arange(400) < 2, 5, random.integers(0, 5, 400))
    target, keys = np.eye(6)[gold], random.integers(0, 40, (400, 2))
    scored = [
        Scored("m", space, list(map(str, range(400))), random.normal(size=(400, 6)) + 2 * target, target, clusters=keys)
        for _ in range(2)
    ]
    model = Seeded(scored, scored[0].bootstrap(200))

    def watched(figure, columns):
        widths.append(columns.shape[1])
        return influence(figure, columns)

    for index in range(6):
        whole = {
            "f1": model.of(lambda tally, index=index: tally.f1[..., index]),
            "precision": model.of(lambda tally, index=index: Tally(tally.columns).precision[..., index]),
            "recall": model.of(lambda tally, index=index: Tally(tally.columns).recall[..., index]),
        }
        with monkeypatch.context() as patched:
            patched.setattr(over_seeds, "influence", watched)
            found = class_figures(model, index)
        for name, figure in whole.items():
            one = figure.mean(whole_interval)
            ends = [one["low"], one["high"]]
            assert found[name] == pytest.approx(one["value"], abs=1e-12), (name, index)
            assert found[f"{name}_interval"] == pytest.approx(ends, abs=1e-12), (name, index)
    assert found["f1_interval"] == [None, None] and set(widths) == {20 + 3}
