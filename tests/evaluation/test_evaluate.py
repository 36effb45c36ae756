"""Quality figures from prediction files written by hand, against scikit-learn; nothing is chosen on test rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from distill.core.activations import softmax
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.predictions import Predictions, read_predictions, write_predictions
from distill.core.project import Quality
from distill.evaluation.calibrated_predictions import ALL, Model, References, read_calibrated
from distill.evaluation.evaluate import Measuring, evaluate

SPACE = LabelSpace(("мимо", "рядом", "точно"), positive="точно")
SETTINGS = Quality(replicates=100)
TESTS = ["test.unseen", "test.seen"]
REFERENCES = References("base@document", "base@card")
MODELS = [
    Model("base@document", "teacher", "base", "document", 12, 1000),
    Model("base@card", "teacher", "base", "card", 12, 1000),
    Model("8L@card", "student", "8L", "card", 8, 700, rivals=("base@card",)),
]
NAMES = [*(model.name for model in MODELS), "majority", "random"]
PRIORS = np.array([0.5, 0.2, 0.3])
SIGNAL = {"base@document": 2.0, "base@card": 1.4, "8L@card": 1.2, "small@document": 0.8}
ROWS = {"valid": 90, "test.unseen": 70, "test.seen": 60}


def gold(split: str) -> np.ndarray:
    return np.random.default_rng(ROWS[split]).integers(0, 3, ROWS[split])


def predictions(name: str, split: str) -> Predictions:
    """The same rows and gold for every model, logits of its own."""
    rows, target = ROWS[split], np.eye(3, dtype=np.float32)[gold(split)]
    noise = np.random.default_rng([*name.encode(), rows]).normal(size=(rows, 3))
    return Predictions(
        ids=[f"{split}-{i}" for i in range(rows)],
        logits=(2 * noise + 2 * SIGNAL[name] * target).astype(np.float32),
        target=target,
        slices=["аптека" if i % 3 else "стройка" for i in range(rows)],
        clusters=[f"{split}-{i // 2}" for i in range(rows)],
    )


@pytest.fixture
def folder(tmp_path):
    for name in SIGNAL:
        for split in ROWS:
            write_predictions(tmp_path / name / f"{split}.parquet", predictions(name, split))
    return tmp_path


def run(folder, models=MODELS, tests=TESTS, space=SPACE, references=REFERENCES, priors=PRIORS):
    return evaluate(models, tests, references, {None: folder}, Measuring(space, SETTINGS, seed=1, priors=priors))


def rewrite(folder, name, split, change):
    path = folder / name / f"{split}.parquet"
    write_predictions(path, change(read_predictions(path)))


def all_tests(name):
    """Gold (N,) and logits (N, C) over both test splits."""
    return np.concatenate([gold(test) for test in TESTS]), np.concatenate([predictions(name, t).logits for t in TESTS])


def found_model(found, name):
    return next(model for model in found["models"] if model["name"] == name)


def test_figures_are_those_of_scikit_learn(folder):
    found = run(folder)
    assert found["tests"] == ["unseen", "seen"] and [m["name"] for m in found["models"]] == NAMES
    assert found["references"] == REFERENCES.by_view
    for name in REFERENCES.card, "8L@card":
        model, (target, logits) = found_model(found, name), all_tests(name)
        quality, predicted = model["quality"], logits.argmax(1)
        chances = softmax(logits / model["temperature"])
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(target, predicted, labels=[0, 1, 2])
        assert quality["rows"] == len(target)
        assert quality["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(target, predicted))
        assert quality["f1_macro"]["value"] == pytest.approx(f1.mean())
        assert quality["log_loss"]["value"] == pytest.approx(metrics.log_loss(target, chances))
        for index, label in enumerate(SPACE.labels):
            expected = {"precision": precision[index], "recall": recall[index], "f1": f1[index]}
            low, high = quality["per_class"][label]["f1_interval"]
            assert {key: quality["per_class"][label][key] for key in expected} == pytest.approx(expected)
            assert low < f1[index] < high
        at = model["thresholds"]["f1"]
        point = quality["positive"]["operating_points"]["f1"]
        assert point["f1"] == pytest.approx(metrics.f1_score(target == 2, chances[:, 2] >= at))


def test_each_test_split_and_slice_is_measured_on_its_own_rows(folder):
    model = found_model(run(folder), "8L@card")
    for test in TESTS:
        part = predictions("8L@card", test)
        right = part.logits.argmax(1) == gold(test)
        block = model["tests"][test.removeprefix("test.")]
        assert block["accuracy"]["value"] == pytest.approx(right.mean())
        mine = np.array(part.slices) == "аптека"
        assert block["slices"]["аптека"]["accuracy"] == pytest.approx(right[mine].mean())


def test_an_exported_file_is_measured_against_its_student(folder):
    for split in ROWS:
        path = folder / "8L@card.onnx-int8" / f"{split}.parquet"
        logits = 3 * predictions("8L@card", split).logits
        write_predictions(path, dataclasses.replace(predictions("8L@card", split), logits=logits))
    file = Model("8L@card.onnx-int8", "artifact", "8L", "card", made_from="8L@card")
    found = run(folder, models=[*MODELS, file])
    figures = found_model(found, file.name)["fidelity"]
    assert figures["rows"] == sum(ROWS.values()) and figures["shift_mean"] > 0.02
    assert found_model(found, file.name)["quality"]["accuracy"] == found_model(found, "8L@card")["quality"]["accuracy"]
    assert "fidelity" not in found_model(found, "8L@card")


def test_a_temperature_at_its_bound_is_marked(folder):
    def faint(p):
        return dataclasses.replace(p, logits=(p.target / 100).astype(np.float32))

    rewrite(folder, "8L@card", "valid", faint)
    found = run(folder)
    marked = [model["name"] for model in found["models"] if model.get("at_bound")]
    assert marked == ["8L@card"] and found_model(found, "8L@card")["temperature"] == pytest.approx(0.05, rel=1e-4)


def test_thresholds_are_the_best_on_validation(folder):
    model = found_model(run(folder), "8L@card")
    chances = softmax(predictions("8L@card", "valid").logits / model["temperature"])[:, 2]
    positive = gold("valid") == 2
    best = max(metrics.f1_score(positive, chances >= at) for at in chances)
    assert metrics.f1_score(positive, chances >= model["thresholds"]["f1"]) == pytest.approx(best)
    at = model["thresholds"]["recall@P>=0.9"]
    assert metrics.precision_score(positive, chances >= at) >= 0.9


def test_nothing_is_chosen_on_test_rows(folder):
    before = run(folder)
    for name in SIGNAL:
        for test in TESTS:
            rewrite(folder, name, test, lambda p: dataclasses.replace(p, logits=-3 * p.logits))
    after = run(folder)
    assert [m["valid"] for m in before["models"]] == [m["valid"] for m in after["models"]]
    for name in ("base@document", "8L@card"):
        one, other = found_model(before, name), found_model(after, name)
        assert one["quality"]["accuracy"]["value"] > other["quality"]["accuracy"]["value"]
        assert (one["thresholds"], one["temperature"]) == (other["thresholds"], other["temperature"])
    rewrite(folder, "8L@card", "valid", lambda p: dataclasses.replace(p, logits=p.logits * 2 + [0, 0, 3]))
    assert found_model(run(folder), "8L@card")["thresholds"] != found_model(after, "8L@card")["thresholds"]


def test_temperature_takes_the_scale_out(folder):
    before = found_model(run(folder), "8L@card")
    for split in ROWS:
        rewrite(folder, "8L@card", split, lambda p: dataclasses.replace(p, logits=p.logits * 4))
    after = found_model(run(folder), "8L@card")
    assert after["temperature"] == pytest.approx(4 * before["temperature"], rel=1e-3)
    assert after["quality"]["log_loss"]["value"] == pytest.approx(before["quality"]["log_loss"]["value"], rel=1e-3)


def test_comparisons_are_paired_differences(folder):
    found = run(folder)
    f1 = {name: metrics.f1_score(target, logits.argmax(1), average="macro") for name in SIGNAL
          for target, logits in [all_tests(name)]}  # fmt: skip
    assert [c["metric"] for c in found["comparisons"]] == ["accuracy", "f1_macro", "log_loss", "f1_positive"]
    macro = found["comparisons"][1]
    assert (macro["a"], macro["b"]) == ("8L@card", "base@card")
    assert macro["difference"] == pytest.approx(f1["8L@card"] - f1["base@card"])


def test_without_a_positive_class_there_are_no_thresholds(folder):
    found = run(folder, space=LabelSpace(SPACE.labels))
    model = found_model(found, "8L@card")
    assert model["thresholds"] is None and model["quality"]["positive"] is None
    assert "f1_positive" not in [c["metric"] for c in found["comparisons"]]


def test_an_ensemble_is_the_weighted_mean_of_probabilities(folder):
    members = (("base@document", 3.0), ("small@document", 1.0))
    ensemble = Model("ensemble@document", "teacher", "", "document", members=members)
    model = found_model(run(folder, [*MODELS, ensemble]), "ensemble@document")
    mean = sum(weight / 4 * softmax(all_tests(name)[1]) for name, weight in members)
    target = all_tests("8L@card")[0]
    assert model["quality"]["accuracy"]["value"] == pytest.approx((mean.argmax(1) == target).mean())
    calibrated = softmax(np.log(mean) / model["temperature"])
    assert model["quality"]["log_loss"]["value"] == pytest.approx(metrics.log_loss(target, calibrated), rel=1e-5)


def reordered(p: Predictions) -> Predictions:
    return dataclasses.replace(p, ids=p.ids[::-1])


def shortened(p: Predictions) -> Predictions:
    return Predictions(p.ids[1:], p.logits[1:], p.target[1:], p.slices[1:], p.clusters[1:])


def relabelled(p: Predictions) -> Predictions:
    return dataclasses.replace(p, target=p.target[:, ::-1].copy())


@pytest.mark.parametrize("change", [reordered, shortened, relabelled])
@pytest.mark.parametrize("name", ["base@card", "8L@card"])
def test_models_scored_on_other_rows_are_refused(folder, name, change):
    rewrite(folder, name, "test.seen", change)
    with pytest.raises(UserError, match=rf"same rows only[\s\S]*{name}"):
        run(folder)


@pytest.mark.parametrize("change", [reordered, shortened])
@pytest.mark.parametrize("split", ["valid", "test.seen"])
def test_members_scored_on_other_rows_are_refused(folder, split, change):
    rewrite(folder, "small@document", split, change)
    members = (("base@document", 1.0), ("small@document", 1.0))
    ensemble = Model("ensemble@document", "teacher", "", "document", members=members)
    with pytest.raises(UserError, match=rf"ensemble were scored on other rows[\s\S]*{split}"):
        run(folder, [*MODELS, ensemble])


@pytest.mark.parametrize("split", ["valid", "test.seen"])
def test_a_missing_prediction_file_is_named(folder, split):
    (folder / "8L@card" / f"{split}.parquet").unlink()
    with pytest.raises(UserError, match=rf"8L@card/{split}\.parquet"):
        run(folder)


def test_too_few_clusters_are_an_error_with_their_number(folder):
    for name in SIGNAL:
        rewrite(folder, name, "test.seen", lambda p: dataclasses.replace(p, clusters=["один"] * len(p.ids)))
    with pytest.raises(UserError, match=r"at least 30 clusters[\s\S]*1 clusters in 60 rows"):
        run(folder)


def test_the_settings_of_quality_reach_the_figures(folder):
    def under(**changes):
        measuring = Measuring(SPACE, SETTINGS.model_copy(update=changes), seed=1, priors=PRIORS)
        return found_model(evaluate(MODELS, TESTS, REFERENCES, {None: folder}, measuring), "8L@card")

    plain = under()
    precise, recalled = under(precision_at_least=0.5), under(recall_at_least=0.5)
    assert list(precise["thresholds"]) == ["f1", "recall@P>=0.5", "precision@R>=0.9"]
    assert precise["thresholds"]["recall@P>=0.5"] < plain["thresholds"]["recall@P>=0.9"]
    assert recalled["thresholds"]["precision@R>=0.5"] > plain["thresholds"]["precision@R>=0.9"]
    more = under(replicates=150)["quality"]["accuracy"]
    assert more["value"] == plain["quality"]["accuracy"]["value"] and more != plain["quality"]["accuracy"]


def test_every_difference_is_corrected_over_its_table(folder):
    twinned = [*MODELS, Model("small@document", "baseline", "8L", "card", twin_of="8L@card")]
    found = run(folder, twinned)
    above = [one for model in found["models"] for one in (model["over_majority"] or {}).values()]
    gold = [model["over_gold"] for model in found["models"] if model["over_gold"]]
    assert len(above) == 12 and len(gold) == 1
    controls = [one for model in found["models"] for one in (model.get("over_controls") or {}).values()]
    for table in (found["comparisons"], above, gold, controls):
        assert table and all(row["p_value"] <= row["p_holm"] <= 1 and "evidence" not in row for row in table)
    assert gold[0]["p_holm"] == gold[0]["p_value"]
    unsure = max(found["comparisons"], key=lambda row: row["p_value"])
    assert unsure["p_holm"] > unsure["p_value"] or unsure["p_value"] == 1


def test_the_parts_of_a_gap_are_those_of_the_comparisons_and_add_up(folder):
    rivals = {"base@card": ("base@document",), "8L@card": ("base@card", "base@document")}
    models = [dataclasses.replace(one, rivals=rivals.get(one.name, ())) for one in MODELS]
    found = run(folder, models=models)["gaps"]
    assert {one["metric"] for one in found} == {"accuracy", "f1_macro", "log_loss", "f1_positive"}
    for one in found:
        assert one["view"]["difference"] + one["depth"]["difference"] == pytest.approx(one["whole"]["difference"])


def test_calibration_is_told_of_teachers_and_students_and_after_it_figures_are_those_of_the_block(folder):
    found = run(folder)
    assert [one["model"] for one in found["calibration"]] == [model.name for model in MODELS]
    for one in found["calibration"]:
        for figure in ("log_loss", "ece"):
            expected = found_model(found, one["model"])["quality"][figure]
            assert one["ways"]["temperature"][figure] == pytest.approx(expected, abs=1e-6)


def test_each_student_is_compared_with_the_document_teacher_in_each_slice(folder):
    (found,) = run(folder)["slices_apart"]
    assert (found["a"], found["b"]) == ("8L@card", "base@document")
    assert [one["name"] for one in found["rows"]] == ["аптека", "стройка", None]
    target, logits = all_tests("8L@card")
    _, other = all_tests("base@document")
    right, its = (found.argmax(1) == target for found in (logits, other))
    whole = found["rows"][-1]
    assert whole["difference"] == pytest.approx(right.mean() - its.mean())
    for one in found["rows"]:
        assert one["low"] <= one["difference"] <= one["high"] and one["p_holm"] >= one["p_value"]
    assert sum(one["rows"] for one in found["rows"][:-1]) == whole["rows"]


def test_a_single_test_is_held_once(folder):
    one, both = (read_calibrated(MODELS[0], tests, folder, SPACE, SETTINGS) for tests in (TESTS[:1], TESTS))
    assert one.tests[ALL] is one.tests[TESTS[0]] and len(both.tests[ALL]) == sum(
        len(both.tests[test]) for test in TESTS
    )
