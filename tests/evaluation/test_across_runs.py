"""Models of two runs on the rows that both test on: paired by id and label, whatever order and other rows they have."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.manifest import write_manifest
from distill.core.predictions import write_predictions
from distill.core.record_store import write_records
from distill.core.records import Record
from distill.core.sealed import write_sealed
from distill.evaluation.across_runs import compare_runs
from distill.evaluation.calibrated_predictions import Model, References
from distill.evaluation.compare import compare
from distill.evaluation.evaluate import Measuring, evaluate
from distill.report.across_table import across_sentences, across_sheet
from distill.report.finding import compared
from distill.report.tables import markdown
from tests.evaluation.test_compare import A, B, write_config
from tests.evaluation.test_evaluate import PRIORS, ROWS, SETTINGS, SPACE, TESTS, predictions
from tests.evaluation.test_over_seeds import seeded

FIGURES = ("difference", "low", "high", "p_value")
UNSEEN = "test.unseen"


def make_run(folder, models, made=predictions, text=lambda id_: f"text of {id_}", train=(), **config):
    """A run whose figures are made. Args: models: by name, whose predictions it has. made: of a model on a split."""
    for name, source in models.items():
        for split in ROWS:
            write_predictions(folder / "predictions" / name / f"{split}.parquet", made(source, split))
        write_manifest(folder / "predictions" / name, {"step": "predict"})
    for split in TESTS:
        ids = made(next(iter(models.values())), split).ids
        write_records(folder / "records" / f"{split}.parquet", [Record(id_, {"title": text(id_)}) for id_ in ids])
    write_records(folder / "records" / "train.parquet", [Record(id_, {"title": ""}) for id_ in ("train-0", *train)])
    (folder / "evaluation").mkdir()
    write_manifest(folder / "evaluation", {"step": "evaluate"})
    write_config(folder, **config)
    return folder


def changed(name, split):
    """Predictions of a later assembly: shuffled, the first 5 unseen rows gone, one with another label, a slice more."""
    part = predictions(name, split)
    if split != UNSEEN:
        return part
    order = np.random.default_rng(5).permutation(np.arange(5, len(part.ids)))
    target = part.target.copy()
    target[9] = np.roll(target[9], 1)
    logits = np.concatenate([part.logits[order], part.logits[5:12]])
    return dataclasses.replace(
        part,
        ids=[*(part.ids[row] for row in order), *(f"diy-{row}" for row in range(7))],
        logits=logits,
        target=np.concatenate([target[order], target[5:12]]),
        slices=[*(part.slices[row] for row in order), *["DIY"] * 7],
        clusters=[*(part.clusters[row] for row in order), *(f"diy-{row}" for row in range(7))],
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The old run with two models, the new one with A alone, which answers as B did."""
    folder = tmp_path_factory.mktemp("runs")
    old = make_run(folder / "old", {A: A, B: B, "base@document": "base@document"})
    text = {"test.unseen-6": "another text", "test.seen-1": "TEXT of test.seen-1"}
    new = make_run(
        folder / "new",
        {A: B, f"{A}.onnx": A, "base@document": "base@document"},
        made=changed,
        text=lambda id_: text.get(id_, f"text of {id_}"),
        train=["test.unseen-2"],
    )
    return old, new


def accuracy(name, keep):
    hits = []
    for split in sorted(TESTS):
        part = predictions(name, split)
        right = part.logits.argmax(1) == part.target.argmax(1)
        hits += [hit for hit, id_, slice_ in zip(right, part.ids, part.slices, strict=True) if keep(id_, slice_)]
    return np.mean(hits), len(hits)


def is_shared(id_, _=None):
    return id_ not in {*(f"test.unseen-{row}" for row in range(5)), "test.unseen-9"}


def test_on_equal_rows_it_is_the_comparison_within_a_run(tmp_path, runs):
    new = make_run(tmp_path / "new", {A: B})
    found = compare_runs(runs[0], new, [A])["comparisons"]
    within = {row["metric"]: row for row in compare(runs[0], B, A)}
    assert [row["metric"] for row in found] == ["accuracy", "f1_macro", "f1_weighted", "log_loss", "f1_positive"]
    for row in (row for row in found if row["metric"] in within):
        assert [row[key] for key in FIGURES] == [within[row["metric"]][key] for key in FIGURES]
        assert row["difference"] == pytest.approx(row["new"] - row["old"]) and row["difference"] != 0


def test_a_model_against_itself_differs_nowhere(runs, tmp_path):
    found = compare_runs(runs[0], make_run(tmp_path / "same", {A: A}))
    assert all(row["difference"] == 0 and row["p_holm"] == 1 for row in found["comparisons"])
    assert found["models"] == [[A, A]] and found["old"]["not_compared"] == [B, "base@document"]
    assert "no difference is shown" in across_sentences(found)[0]


def test_rows_are_paired_by_id_and_label_and_the_others_are_named(runs):
    found = compare_runs(*runs)
    rows = found["rows"]
    assert rows["shared"] == 124 and (found["old"]["test_rows"], found["new"]["test_rows"]) == (130, 132)
    assert rows["only_old"]["ids"] == [f"test.unseen-{row}" for row in range(5)]
    assert rows["only_old"]["in_other"] == {"train": 1} and rows["only_new"]["slices"] == {"DIY": 7}
    assert rows["only_new"]["rows"] == 7 and rows["other_label"] == {"rows": 1, "ids": ["test.unseen-9"]}
    assert rows["other_text"] == {"rows": 1, "ids": ["test.unseen-6"]}, "case does not count"
    assert found["models"] == [[A, A], ["base@document"] * 2] and found["new"]["not_compared"] == [f"{A}.onnx"]
    first = found["comparisons"][0]
    assert (first["old"], first["rows"]) == pytest.approx(accuracy(A, is_shared))
    assert first["new"] == pytest.approx(accuracy(B, is_shared)[0])
    same = [row for row in found["comparisons"] if row["old_model"] == "base@document"]
    assert all(row["difference"] == 0 for row in same), "rows in another order are the same rows"


def test_an_exported_file_is_held_against_a_model_of_another_name(runs):
    found = compare_runs(*runs, [A, f"{A}.onnx"])
    assert found["models"] == [[A, f"{A}.onnx"]] and not found["new"]["not_compared"]
    assert all(row["difference"] == 0 for row in found["comparisons"])


def test_a_weighted_ensemble_is_read_from_its_members(runs, tmp_path):
    ensemble = Model("ensemble@card", "teacher", "ensemble", "card", members=((A, 0.8), (B, 0.2)))
    document = Model("base@document", "teacher", "base", "document")
    old = make_run(tmp_path / "old", {A: A, B: B, "base@document": "base@document"})
    references = References("base@document", None)
    measuring = Measuring(SPACE, SETTINGS, 1, PRIORS)
    made = evaluate([document, ensemble], sorted(TESTS), references, {None: old / "predictions"}, measuring)
    write_json(old / "evaluation" / "evaluation.json", made)
    write_manifest(old / "evaluation", {"step": "evaluate"})
    found = compare_runs(old, runs[0], ["ensemble@card", A])["comparisons"]
    own = next(model for model in made["models"] if model["name"] == "ensemble@card")["quality"]
    for row in found[:4]:
        assert row["old"] == pytest.approx(own[row["metric"]]["value"]) and row["difference"] != 0
    assert compare_runs(old, old)["models"][-1] == ["ensemble@card"] * 2
    assert compare(old, "ensemble@card", "ensemble@card")[0]["difference"] == 0


def test_by_slice_every_slice_of_shared_rows_then_all(runs):
    found = compare_runs(*runs, by="slice")
    rows = found["comparisons"][:3]
    assert [row["slice"] for row in rows] == ["аптека", "стройка", None]
    for row in rows:
        own = [accuracy(name, lambda id_, s, row=row: is_shared(id_) and row["slice"] in (s, None)) for name in (A, B)]
        assert (row["old"], row["new"], row["rows"]) == pytest.approx((own[0][0], own[1][0], own[0][1]))
    assert len(found["comparisons"]) == 6 and all(row["p_holm"] >= row["p_value"] for row in found["comparisons"])
    assert rows[2] | {"p_holm": 0} == compare_runs(*runs)["comparisons"][0] | {"p_holm": 0}


def test_what_people_read(runs):
    found = compare_runs(*runs)
    words = "\n".join(across_sentences(found))
    for part in (
        "8L@card: macro F1 64.81 → 74.99, +10.18 (+0.2…+20.4), no difference is shown after Holm’s correction.",
        "Compared on 124 test rows that both runs have with the same label",
        "5 test rows of the old run alone (test.unseen-0, test.unseen-1, test.unseen-2, test.unseen-3, test.unseen-4)",
        "of which the new run has 1 in train",
        "without a row to compare: DIY (7 rows)",
        "1 row whose label differs between the runs (test.unseen-9)",
        "1 row with another text (test.unseen-6)",
        "Only the new run has: 8L@card.onnx.",
    ):
        assert part in words
    sheet = across_sheet(found)
    assert "corrected over the 10 differences" in sheet.caption
    assert "| `8L@card` | log loss | " in markdown(sheet) and "F1 of “точно”" in markdown(sheet)
    old, new = sheet.columns[2:4]
    loss = next(row for row in sheet.rows if row["metric"] == "log_loss")
    assert sheet.best()(old, loss) == (loss["old"] < loss["new"]) != sheet.best()(new, loss)
    sliced = compare_runs(*runs, by="slice")
    assert "accuracy" in across_sentences(sliced)[0] and "| `8L@card` | стройка | " in markdown(across_sheet(sliced))


def test_few_clusters_have_differences_without_intervals(tmp_path):
    def few(name, split):
        part = predictions(name, split)
        return dataclasses.replace(part, clusters=[f"{split}-{row % 10}" for row in range(len(part.ids))])

    new = make_run(tmp_path / "new", {A: B}, made=few)
    found = compare_runs(new, new, [A])
    row = found["comparisons"][0]
    assert row["clusters"] == 20 and row["low"] is row["p_holm"] is None
    assert "too few rows for an interval" in across_sentences(found)[0]
    assert "Under 30 clusters, so without interval" in across_sheet(found).caption


def test_resamples_are_drawn_by_the_keys_of_the_run_with_more(runs, tmp_path):
    def alone(name, split):
        part = predictions(name, split)
        return dataclasses.replace(part, clusters=part.ids)

    keyed = make_run(tmp_path / "keyed", {A: A}, data={"keys": ["product.id"]})
    free = make_run(tmp_path / "free", {A: B}, made=alone)
    found = [compare_runs(*pair) for pair in ((keyed, free), (free, keyed))]
    assert [one["comparisons"][0]["clusters"] for one in found] == [65, 65]
    assert "other keys: product.id (old), none (new)" in "\n".join(across_sentences(found[0]))


def seeds_run(folder, seeds, shift=0):
    for seed in seeds:
        make_run(folder / f"seed-{seed}", {A: A}, made=lambda n, s, seed=seed: seeded(n, s, seed + shift))
    write_config(folder, seeds=list(seeds))
    write_sealed(folder / "report.json", {"seeds": list(seeds)})
    return folder


def test_equal_seeds_are_compared_by_their_means_and_others_by_the_first(runs, tmp_path):
    old, new = seeds_run(tmp_path / "old", (1, 2)), seeds_run(tmp_path / "new", (1, 2), shift=2)
    found = compare_runs(old, new)
    within = [compare_runs(old / f"seed-{seed}", new / f"seed-{seed}")["comparisons"][0] for seed in (1, 2)]
    row = found["comparisons"][0]
    assert row["difference"] == pytest.approx(np.mean([one["difference"] for one in within]))
    assert row["spread"] == sorted(one["difference"] for one in within)
    assert "mean over the seeds 1, 2" in "\n".join(across_sentences(found))
    for other, told in (
        (new / "seed-1", "a single run"),
        (seeds_run(tmp_path / "third", (1,), shift=2), "seed 1 of 1"),
    ):
        first = compare_runs(old, other)
        assert first["comparisons"] == compare_runs(old / "seed-1", new / "seed-1")["comparisons"]
        assert f"the first of each is taken: seed 1 of 1, 2 (old), {told} (new)" in "\n".join(across_sentences(first))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"labels": ["мимо", "рядом", "иначе"]}, r"labels differ[\s\S]*рядом, точно \| мимо, рядом, иначе"),
        ({"labels": ["рядом", "мимо", "точно"]}, r"labels differ[\s\S]*labels count in their order"),
        ({"labels": ["мимо", "рядом", "точно"], "kind": "multi"}, r"kind differ[\s\S]*single \| multi"),
        ({"labels": ["мимо", "рядом", "точно"], "positive": "рядом"}, r"positive differ[\s\S]*точно \| рядом"),
    ],
)
def test_another_task_is_refused(runs, tmp_path, task, message):
    write_json(tmp_path / "run.json", {"config": {"task": task}, "stages": []})
    (tmp_path / "evaluation").mkdir()
    write_manifest(tmp_path / "evaluation", {"step": "evaluate"})
    with pytest.raises(UserError, match=message):
        compare_runs(runs[0], tmp_path)


def test_runs_without_a_row_in_common_are_refused(runs, tmp_path):
    def renamed(name, split):
        part = predictions(name, split)
        return dataclasses.replace(part, ids=[f"new-{id_}" for id_ in part.ids])

    def relabelled(name, split):
        part = predictions(name, split)
        return dataclasses.replace(part, target=np.roll(part.target, 1, axis=1))

    with pytest.raises(UserError, match=r"share no test row[\s\S]*none has an id in both[\s\S]*same ids"):
        compare_runs(runs[0], make_run(tmp_path / "renamed", {A: A}, made=renamed))
    with pytest.raises(UserError, match=r"share no test row[\s\S]*130 are in both, all with other labels"):
        compare_runs(runs[0], make_run(tmp_path / "relabelled", {A: A}, made=relabelled))


def test_mistakes_are_named(runs, tmp_path):
    old, new = runs
    write_json(tmp_path / "run.json", json.loads((new / "run.json").read_text()))
    with pytest.raises(UserError, match="has not been evaluated"):
        compare_runs(old, tmp_path)
    with pytest.raises(UserError, match=r"no model of the same name[\s\S]*name one of each"):
        compare_runs(old, make_run(tmp_path / "other", {"tiny@card": A}))
    with pytest.raises(UserError, match=r"8L@crad[\s\S]*did you mean '8L@card'"):
        compare_runs(old, new, ["8L@crad"])
    with pytest.raises(UserError, match="known: slice"):
        compare_runs(old, new, by="page")
    with pytest.raises(UserError, match="two models at most"):
        compared(old, [str(new), A, B, A], None)
    with pytest.raises(UserError, match=r"neither two models nor another run[\s\S]*8L@card"):
        compared(old, [A], None)
