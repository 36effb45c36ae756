"""A bundle with another temperature and other operating points: sealed anew, the old one and its models untouched."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from distill.cli.app import app
from distill.core.errors import GateFailed, UserError
from distill.core.files import read_json, sha256
from distill.core.leftovers import own_name
from distill.core.project import Rare
from distill.evaluation.calibration import fit_temperature
from distill.evaluation.positive_alone import PositiveAlone
from distill.report import diff_table, retune_table
from distill.report.table_model import Sheet
from export import retuned_bundle, runtime
from export.batch import shards
from export.batch.inputs import surveyed
from export.checked_bundle import verify
from export.diff import diff
from export.diff_options import DiffOptions
from export.gold_column import GoldColumn, NoGold
from export.record_rows import LeftOut, Read, read_chunks
from export.retune import retune
from export.retune_options import RetuneOptions
from export.retuned_card import retuned_card
from export.runtime import load_bundle
from tests.export import tiny_bundle
from tests.export.labelled import labelled_rows, write_rows
from tests.export.tiny_bundle import (
    LABELS,
    MULTI,
    POINTS,
    SPACE,
    copy_of,
    locked,
    make_bundle,
    read_only,
    shared_bundle,
)

CHANGED = {"manifest.json", "postprocessing.json", "golden.jsonl", "MODEL_CARD.md"}


@pytest.fixture(scope="module")
def rows():
    return labelled_rows(shared_bundle())


@pytest.fixture(scope="module")
def place(tmp_path_factory, rows):
    """A folder with a copy of the tiny bundle, signed by nobody in particular, and `fresh.jsonl` with a broken line."""
    folder = tmp_path_factory.mktemp("retuned")
    copy_of(shared_bundle(), folder).rename(folder / "tiny")
    (folder / "tiny" / "manifest.sig").write_text("someone's\n")
    with write_rows(folder / "fresh.jsonl", rows).open("a") as file:
        file.write('{"broken\n')
    return folder


@pytest.fixture(scope="module")
def told(place):
    """What the command prints: words and, last, JSON."""
    command = ["retune", place / "tiny", place / "fresh.jsonl", "--keys", "shop", "--at", "precision>=0.5", "--json"]
    done = CliRunner().invoke(app, [*map(str, command), "--threads", "1"], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.stderr, json.loads(done.stdout.splitlines()[-1])


def files_of(folder):
    return {path.relative_to(folder).as_posix(): sha256(path) for path in folder.rglob("*") if path.is_file()}


def test_only_what_is_chosen_changes_and_the_new_bundle_verifies(place, told):
    old, new = files_of(place / "tiny"), files_of(place / "tiny-retuned")
    assert {name for name in old if old[name] != new.get(name)} == {*CHANGED, "manifest.sig"}
    assert new.keys() == old.keys() - {"manifest.sig"}
    assert {name: one for name, one in old.items() if name != "manifest.sig"} == files_of(shared_bundle())
    assert verify(place / "tiny-retuned", threads=1)["passed"]
    assert [path.name for path in place.iterdir() if path.name.startswith(".")] == []


def test_answers_are_those_of_the_fresh_rows_temperature(place, told, rows):
    after = read_json(place / "tiny-retuned" / "postprocessing.json")
    gold = np.eye(3)[[LABELS.index(row["label"]) for row in rows]]
    for name in ("fp32", "int8"):
        old, new = load_bundle(place / "tiny", name, 1), load_bundle(place / "tiny-retuned", name, 1)
        logits = old.logits(rows)
        assert after["temperature"][name] == pytest.approx(fit_temperature(logits, gold), rel=1e-5)
        assert np.allclose(new.logits(rows), logits, atol=1e-6)
        assert [one["label"] for one in new.predict(rows)] == [one["label"] for one in old.predict(rows)]
    asked = after["operating_points"]["fp32"]
    assert asked.keys() == {*POINTS, "recall@P>=0.5"} and asked["recall@P>=0.5"] is not None
    chosen = [one["positive"] for one in new.predict(rows, "f1")]
    assert 0 < sum(chosen) < len(rows)


def test_the_lineage_says_what_it_was_made_from(place, told):
    manifest = read_json(place / "tiny-retuned" / "manifest.json")
    came, old = manifest["lineage"]["retuned_from"], read_json(place / "tiny" / "manifest.json")
    assert came["manifest_sha256"] == sha256(place / "tiny" / "manifest.json")
    assert came["file_sha256"] == sha256(place / "fresh.jsonl") and came["file"] == "fresh.jsonl"
    assert (came["rows"], came["clusters"], came["left_out"], came["keys"]) == (240, 80, 1, ["shop"])
    assert manifest["lineage"]["teacher"] == "base@document" and manifest["weights_sha256"] == old["weights_sha256"]


def test_the_words_say_before_and_after_and_what_to_know(told):
    words, found = " ".join(told[0].split()), told[1]
    assert "240 labelled rows in 80 clusters of shop. Labels of answers stay as they were." in words
    assert "1 row is left out: line 241: broken_json" in words and "The old bundle is signed" in words
    assert "fp32: recall@P>=0.9 is not reached: the lower end is" in words
    one = found["artifacts"]["fp32"]
    assert one["temperature_before"] == 1.5 and 0.9 < one["temperature"] < 1.5
    for side in ("before", "after"):
        assert one[side]["log_loss"]["low"] < one[side]["log_loss"]["value"] < one[side]["log_loss"]["high"]
        assert one[side]["ece"]["value"] >= 0 and one[side]["points"]["f1"]["precision"]["low"] > 0
    assert one["points"]["recall@P>=0.9"]["threshold"] is None and one["before"]["points"]["recall@P>=0.9"]


def test_its_tables_fit_a_terminal_of_80_columns(told):
    lines, one = told[0].splitlines(), told[1]["artifacts"]["fp32"]
    assert max(map(len, lines)) <= 80 and not [line for line in lines if "… " in f"{line} "]  # no cell is cut
    rows = [line.split() for line in lines if line.startswith("fp32  f1")]
    assert [row[2] for row in rows] == ["before", "after"]
    point = one["points"]["f1"]
    assert [row[3] for row in rows] == [f"{point[key]:.4f}" for key in ("threshold_before", "threshold")]
    for row, side in zip(rows, ("before", "after"), strict=True):
        figures = one[side]["points"]["f1"]
        assert row[4:6] == [f"{100 * figures[name]['value']:.2f}" for name in ("precision", "recall")]


def test_a_temperature_that_other_rows_gain_nothing_by_is_told():
    change = {"difference": 0.1, "low": -0.1, "high": 0.3}
    one = {"points": {}, "at_bound": False, "log_loss_change": change}
    found = {"artifacts": {"fp32": one}, "left_out": {"rows": 0, "first": []}, "was_signed": False}
    assert "fp32: rows that did not choose the temperature have a larger log loss" in " ".join(
        retune_table._notes(found)
    )
    one["log_loss_change"] = {**change, "difference": -0.1}
    assert list(retune_table._notes(found)) == []


def test_the_card_has_the_new_points_and_keeps_the_rest(place, told):
    old, new = ((place / name / "MODEL_CARD.md").read_text(encoding="utf-8") for name in ("tiny", "tiny-retuned"))
    assert new.count("\n## ") == old.count("\n## ") + 1 and new.index("## Retuned") < new.index("## Latency")
    assert "| fp32 | `recall@P>=0.9` | 0.7000 | 73.32 |" in old and "0.7000" not in new
    assert "| fp32 | `recall@P>=0.9` | – | – | – | – |" in new and "240 labelled rows in 80 clusters, by `shop`" in new
    assert old.split("## Operating points")[0] == new.split("## Operating points")[0]
    end = new[new.index("## Latency") : new.index("## Origin")].replace("in the rows under Retuned", "in validation")
    assert "mix of labels in the rows under Retuned and shift" in new
    assert old[old.index("## Latency") :] == end + old[old.index("## Origin") :]


def test_a_temperature_at_its_bound_is_told_of_the_new_one_alone(place, told):
    figures = {name: {**one, "at_bound": name == "int8"} for name, one in told[1]["artifacts"].items()}
    figures["int8"] |= {"temperature": 20.0}
    bound = "- The temperature of {}, 20, is the bound of what is looked for: not calibrated."
    old = f"# tiny\n\n## Quality\n\ntable\n\n{bound.format('fp32')}\n{bound.format('int8')}\n\n## Latency\n"
    came = read_json(place / "tiny-retuned" / "manifest.json")["lineage"]["retuned_from"]
    new = retuned_card(old, came, figures)
    assert new.startswith("# tiny\n\n## Quality\n\ntable\n\n## Operating points")
    assert new.count("is the bound") == 1 and bound.format("int8") in new[new.index("## Retuned") :]


def test_another_mix_and_costs_change_thresholds_and_are_stored(place, told):
    options = RetuneOptions(
        out=place / "mixed", keys=["shop"], class_mix=["about_pr=10%"], costs="0,1,9;1,0,9;1,1,0", threads=1
    )
    found = retune(place / "tiny-retuned", place / "fresh.jsonl", options)
    mix, one = found["class_mix"], found["artifacts"]["fp32"]
    own = found["shares"]
    assert mix["about_pr"] == 0.1 and sum(mix.values()) == pytest.approx(1)
    assert mix["ment_pr"] / mix["not_about_pr"] == pytest.approx(own["ment_pr"] / own["not_about_pr"])
    assert one["log_loss_if_corrected"] < one["after"]["log_loss"]["value"]
    came = read_json(place / "mixed" / "manifest.json")["lineage"]["retuned_from"]
    assert came["earlier"]["rows"] == 240 and came["class_mix"] == mix and came["costs"][0] == [0, 1, 9]
    card = (place / "mixed" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.count("## Retuned") == 1 and "about_pr 10.0%" in card
    with pytest.raises(UserError, match="operating point least_cost"):
        retune(place / "mixed", place / "fresh.jsonl", RetuneOptions(out=place / "again"))
    with pytest.raises(UserError, match="something is there already"):
        retune(place / "tiny", place / "fresh.jsonl", options)


def test_columns_and_encoding_are_those_of_the_bundles_own_project(tmp_path, rows):
    data = "data: {label: gold, keys: [shop, segment], encoding: cp1251}"
    task = "task: {rare: {under: 50, into: ment_pr, classes: {seldom: 12}}}"
    bundle = make_bundle(tmp_path, project=f"{data}\nreport: {{texts: false}}\n{task}\n")
    merged = [number for number, row in enumerate(rows) if row["label"] == "ment_pr"][::2]
    gold = ["seldom" if number in merged else row["label"] for number, row in enumerate(rows)]
    given = [{**row, "gold": label, "label": "?"} for row, label in zip(rows, gold, strict=True)]
    file = write_rows(tmp_path / "in.jsonl", given)
    with file.open("a") as more:
        more.write('{"secret')
    file.write_bytes(file.read_text(encoding="utf-8").encode("cp1251"))
    found = retune(bundle, file, RetuneOptions(threads=1))
    assert found["keys"] == ["shop", "segment"] and found["clusters"] == 80
    shares = {label: sum(row["label"] == label for row in rows) / 240 for label in LABELS}
    assert merged and found["shares"] == pytest.approx(shares)
    told = diff(bundle, tmp_path / "tiny-retuned", file, DiffOptions(threads=1))
    assert told["labels"]["right"]["rows"] == 240 and told["label_column"] == "gold" and not told["unknown_labels"]
    assert told["examples"] and "texts" not in json.dumps(told["examples"])
    assert found["left_out"]["first"] == [{"line": 241, "reason": "broken_json"}]
    with pytest.raises(UserError, match="labels that the bundle does not have"):
        retune(bundle, file, RetuneOptions(out=tmp_path / "b", label="label", keys=["id"]))


def test_a_label_that_the_run_left_out_as_rare_is_left_out():
    column = GoldColumn(SPACE, "label", Rare(under=50, into="drop", classes={"seldom": 12}))
    assert column.target(Read(1, {"label": {"ment_pr": 2, "about_pr": 2, "seldom": 1}})).tolist() == [0, 0.5, 0.5]
    with pytest.raises(NoGold, match="has a label that task.rare left out"):
        column.target(Read(2, {"label": "seldom"}))
    assert not column.unknown


def test_a_class_that_was_learnt_alone_is_told_and_judged_alone(tmp_path, rows, monkeypatch):
    def made(folder, *more, make=tiny_bundle.make_model):
        folder = make(folder, *more)
        (folder / "training_history.json").write_text('{"objective": {"name": "one_vs_rest"}}')
        return folder

    monkeypatch.setattr(tiny_bundle, "make_model", made)
    bundle = make_bundle(tmp_path, precisions=("fp32",))
    assert read_json(bundle / "postprocessing.json")["objective"] == "one_vs_rest"
    told = "**It answers only whether a record is `about_pr`**"
    assert told in (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert told not in (shared_bundle() / "MODEL_CARD.md").read_text("utf-8")
    found = retune(bundle, write_rows(tmp_path / "in.jsonl", rows), RetuneOptions(threads=1))
    gold = np.eye(3)[[LABELS.index(row["label"]) for row in rows]]
    logits = load_bundle(bundle, "fp32", 1).logits(rows)
    chosen = fit_temperature(logits, gold, PositiveAlone(2))
    assert found["artifacts"]["fp32"]["temperature"] == pytest.approx(chosen, rel=1e-5)
    assert chosen != pytest.approx(fit_temperature(logits, gold), rel=1e-3)
    assert "The model tells about_pr alone from the rest" in " ".join(retune_table._sentences(found))
    card = (tmp_path / "tiny-retuned" / "MODEL_CARD.md").read_text("utf-8")
    assert told in card and "those of a yes or no, `about_pr` or any other label" in card


def test_labels_that_hold_together_get_a_threshold_each(tmp_path, rows):
    bundle = make_bundle(tmp_path, MULTI, by_class=dict.fromkeys(LABELS, 0.5))
    several = [{**row, "label": [row["label"], LABELS[number % 3]]} for number, row in enumerate(rows)]
    found = retune(bundle, write_rows(tmp_path / "in.jsonl", several), RetuneOptions(threads=1))
    assert found["artifacts"]["int8"]["class_thresholds"].keys() == set(LABELS)
    assert found["clusters"] == 240 and found["keys"] == []
    sheet = retune_table.thresholds_sheet(found)
    assert [(row[0], row[2]) for row in sheet.rows] == [
        (name, side) for name in ("fp32", "int8") for side in ("before", "after")
    ]
    figure = found["artifacts"]["int8"]["after"]["at_thresholds"]["f1_macro"]
    assert sheet.columns[2].cell(sheet.rows[3]).startswith(f"{100 * figure['value']:.2f}")
    parts = retune_table.retune_finding(found).parts
    assert sheet.caption in [part.caption for part in parts if isinstance(part, Sheet)]
    told = diff(bundle, tmp_path / "tiny-retuned", tmp_path / "in.jsonl", DiffOptions(threads=1))
    apart = [one for one in told["examples"] if "class_f1" in one["points"]]
    assert told["points"]["class_f1"]["changed"] > 0 and apart
    for one in apart:
        old, new = (", ".join(held) or "none" for held in one["points"]["class_f1"])
        _, *sides = list(diff_table._example(one))[:3]
        assert old != new and f"{old} at class_f1" in sides[0] and f"{new} at class_f1" in sides[1]
    after = read_json(tmp_path / "tiny-retuned" / "postprocessing.json")
    assert after["class_thresholds"]["int8"] == found["artifacts"]["int8"]["class_thresholds"]
    assert "## Thresholds of each label" in (tmp_path / "tiny-retuned" / "MODEL_CARD.md").read_text("utf-8")
    with pytest.raises(UserError, match="a mix of classes is known where a record has one label"):
        retune(bundle, tmp_path / "in.jsonl", RetuneOptions(out=tmp_path / "b", class_mix=["ment_pr=0.5"]))


def test_a_new_bundle_that_does_not_verify_is_none(place, told, monkeypatch):
    def worse(path, golden=retuned_bundle.write_text):
        return lambda file, text: golden(file, text.replace('"positive": {"f1": true', '"positive": {"f1": false'))

    monkeypatch.setattr(retuned_bundle, "write_text", worse(place))
    with pytest.raises(GateFailed, match="the retuned bundle does not verify: none was made"):
        retune(place / "tiny", place / "fresh.jsonl", RetuneOptions(out=place / "wrong", threads=1))
    assert not list(place.glob("*wrong*")) and not list(place.glob(".*wrong*"))


def test_a_read_only_bundle_makes_one_that_can_be_written(tmp_path, place, monkeypatch):
    """What a killed command left of such a one, and nobody may remove, is in nobody's way."""
    bundle, left = read_only(copy_of(shared_bundle(), tmp_path)), tmp_path / ".new.4194305.partial"
    left.mkdir()

    def removed(path, remove=retuned_bundle.remove):
        if path == left:
            raise PermissionError
        remove(path)

    monkeypatch.setattr(retuned_bundle, "remove", removed)
    retune(bundle, place / "fresh.jsonl", RetuneOptions(out=tmp_path / "new", threads=1))
    assert not locked(tmp_path / "new") and verify(tmp_path / "new", 1)["passed"]


def test_labels_may_begin_late_in_a_file(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 20)
    unlabelled = [{name: value for name, value in row.items() if name != "label"} for row in rows[:40]]
    file = write_rows(tmp_path / "in.jsonl", [*unlabelled, *rows[40:]])
    model, left_out = load_bundle(shared_bundle(), "fp32", 1), LeftOut()
    chunks = list(read_chunks(surveyed(file), [model], ["label"], left_out))
    assert sum(map(len, chunks)) == len(rows) and left_out.count == 0
    with pytest.raises(UserError, match=r"no row has the column: gold[\s\S]*columns id"):
        list(read_chunks(surveyed(file), [model], ["label", "gold"], left_out))


def other(**changes):
    return lambda rows: [{**row, **changes} if number < 2 else row for number, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (other(label="about"), {}, r"labels that the bundle does not have[\s\S]*'about': 2 rows \(line 1, 2\)"),
        (lambda rows: [r for r in rows if r["label"] != "ment_pr"], {}, r"no row has a label[\s\S]*found: ment_pr"),
        (lambda rows: rows[:59], {}, r"at least 60 clusters[\s\S]*in\.jsonl[\s\S]*59 clusters in 59 rows"),
        (lambda rows: rows, {"keys": ["segment"]}, r"at least 60 clusters[\s\S]*2 clusters in 240 rows"),
        (lambda rows: rows, {"keys": ["store"]}, r"no row has the column: store[\s\S]*columns id, product\.title"),
        (lambda rows: rows, {"label": "gold"}, "no row has the column: gold"),
        (
            lambda rows: [{"id": row["id"], "label": row["label"]} for row in rows],
            {},
            "no row has a field that the model",
        ),
        (
            lambda rows: [{**row, "label": None} for row in rows],
            {},
            r"no row can be used[\s\S]*line 1: column 'label' is",
        ),
        (lambda rows: rows, {"at": ["accuracy>=0.9"]}, "no operating point can be asked for so"),
        (lambda rows: rows, {"class_mix": ["about=0.5"]}, r"unknown label[\s\S]*did you mean 'about_pr'"),
        (lambda rows: rows, {"class_mix": ["about_pr"]}, r"a label without its share[\s\S]*=30%"),
        (lambda rows: rows, {"class_mix": ["about_pr=1.5"]}, "a share between 0 and 1 is needed"),
        (lambda rows: rows, {"class_mix": ["about_pr=0.7", "ment_pr=0.5"]}, "do not sum to 1"),
        (lambda rows: rows, {"class_mix": ["about_pr=0.7", "about_pr=0.1"]}, "named twice"),
        (lambda rows: rows, {"costs": "0,1;1,0"}, "a matrix of 3 rows and columns is needed"),
        (lambda rows: rows, {"costs": "costs.yaml"}, r"file not found[\s\S]*--costs[\s\S]*costs.yaml"),
        (lambda rows: rows, {"costs": "costs"}, r"a cost is a number[\s\S]*name a file that is there"),
        (lambda rows: rows, {"threads": 0}, r"at least one is needed[\s\S]*--threads"),
        (
            lambda rows: [{**row, "shop": {"name": "a"}} for row in rows],
            {"keys": ["shop"]},
            r"no row can be used[\s\S]*line 1: column 'shop' needs one value, found dict",
        ),
        (lambda rows: rows, {"costs": "1,1,1;1,1,1;1,1,1"}, "costs that choose nothing"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused_and_leaves_no_bundle(
    tmp_path, rows, monkeypatch, change, options, message
):
    monkeypatch.setattr("export.retune.verify", lambda *_: None)  # others test it
    file = write_rows(tmp_path / "in.jsonl", change(rows))
    with pytest.raises(UserError, match=message) as caught:
        retune(shared_bundle(), file, RetuneOptions(out=tmp_path / "new", **{"threads": 1, **options}))
    assert caught.value.exit_code == 2 and [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_damaged_bundle_is_not_retuned_nor_one_in_its_own_place(tmp_path, rows):
    bundle, file = copy_of(shared_bundle(), tmp_path), write_rows(tmp_path / "in.jsonl", rows)
    with pytest.raises(UserError, match="not retuned in place"):
        retune(bundle, file, RetuneOptions(out=bundle))
    with pytest.raises(UserError, match="a bundle holds its own files alone"):
        retune(bundle, file, RetuneOptions(out=bundle / "new"))
    (bundle / "config.json").write_text("{}")
    with pytest.raises(UserError, match="the bundle is damaged"):
        retune(bundle, file, RetuneOptions(out=tmp_path / "new"))
    shutil.rmtree(bundle)
    with pytest.raises(UserError, match="not a bundle"):
        retune(bundle, file, RetuneOptions(out=tmp_path / "new"))


def test_a_file_that_does_not_run_here_is_named(place, monkeypatch):
    def opened(folder, name, *more, open_=runtime.open_artifact):
        if name == "int8":
            raise runtime.Unavailable("int8 needs CUDAExecutionProvider")
        return open_(folder, name, *more)

    monkeypatch.setattr(runtime, "open_artifact", opened)
    with pytest.raises(UserError, match=r"does not run here[\s\S]*int8 needs CUDA[\s\S]*where all its files run"):
        retune(place / "tiny", place / "fresh.jsonl", RetuneOptions(out=place / "card"))


def test_costs_of_a_file_are_by_label(tmp_path, place, told):
    (tmp_path / "costs.yaml").write_text(
        "not_about_pr: {about_pr: 9}\nment_pr: {about_pr: 9}\nabout_pr: {ment_pr: 1}\n"
    )
    (tmp_path / "odd.yaml").write_text("nobody: {about_pr: 9}\n")
    options = RetuneOptions(out=tmp_path / "new", costs=str(tmp_path / "costs.yaml"), threads=1)
    mark = own_name().partition("-")[0]
    killed, *others = (tmp_path / name for name in (f".new.{mark}-4194305.partial", f".newer.{mark}-4194305.partial"))
    others.append(tmp_path / ".new.0123abcd-4194305.partial")
    for folder in (killed, *others):
        folder.mkdir()
        (folder / "model.onnx").write_bytes(b"half")
    found = retune(place / "tiny", place / "fresh.jsonl", options)
    assert not killed.exists(), "what a killed command left goes with the next"
    assert all(folder.exists() for folder in others), "of another bundle, or of another machine"
    assert found["costs"] == [[0, 0, 9], [0, 0, 9], [0, 1, 0]]
    point = found["artifacts"]["fp32"]["points"]["least_cost"]
    assert point["threshold"] is None or point["threshold"] > found["artifacts"]["fp32"]["points"]["f1"]["threshold"]
    with pytest.raises(UserError, match="unknown label"):
        retune(
            place / "tiny", place / "fresh.jsonl", RetuneOptions(out=tmp_path / "b", costs=str(tmp_path / "odd.yaml"))
        )
