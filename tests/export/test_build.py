import json
import shutil

import pytest

from distill.core.errors import MissingExtra
from distill.core.files import sha256
from distill.models import to_onnx
from export import build, int8, parity
from export.config import load_target
from export.evidence import Evidence, Sample


def evidence(rows, choosing=None):
    return Evidence(Sample(rows), Sample(choosing) if choosing else None, calibration=lambda: rows)


def changes(flips, decisions=0.0, class_f1=0.0):
    """What a file changes of its model's answers."""
    found = {"decisions": {"value": decisions, "at": "f1 of a"}, "class_f1": {"value": class_f1, "at": "a"}}
    return {"flips": flips, "shift_max": 0.0, **found}


@pytest.fixture
def export(model_folder, fp32, rows, tmp_path, monkeypatch):
    """`export(target, ...)`: the step body on tiny BERT, its trace replaced by the session's; returns `parity.json`."""
    monkeypatch.setattr(to_onnx, "export_fp32", lambda folder, out: shutil.copyfile(fp32("bert"), out))

    def run(target, base=None, choosing=None, **overrides):
        config = load_target(target, {"parity_rows": 20, **overrides})
        build.export_target(config, model_folder("bert"), evidence(rows, choosing), tmp_path, base)
        return json.loads((tmp_path / "parity.json").read_text())

    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_fp32_leaves_a_model_and_its_parity(export, tmp_path):
    result = export("onnx")
    assert names(tmp_path) == ["model.onnx", "parity.json"]
    assert (result["target"], result["rows"], result["criterion"]) == ("onnx", 20, "parity")


def test_int8_is_built_from_the_export_at_hand_which_stays_as_it_was(export, fp32, tmp_path, monkeypatch):
    monkeypatch.setattr(to_onnx, "export_fp32", lambda *_: pytest.fail("exported again"))
    before = sha256(fp32("bert"))
    result = export("onnx-int8", base=fp32("bert").parent)
    assert names(tmp_path) == ["model.onnx", "parity.json"]
    assert sha256(fp32("bert")) == before
    assert result["rung"] in result["rungs"]


def test_int8_without_an_export_at_hand_makes_its_own(export, tmp_path):
    export("onnx-int8")
    assert names(tmp_path) == ["model.onnx", "parity.json"]


@pytest.mark.parametrize("target", ["onnx", "onnx-int8"])
def test_parity_is_measured_and_not_judged(export, target):
    assert not {"passed", "required"} & set(export(target))


def test_leftovers_of_a_killed_run_go_and_other_files_stay(export, tmp_path):
    (tmp_path / ".model.onnx.123.partial").write_bytes(b"half")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.onnx").write_bytes(b"half")
    (tmp_path / "step.json").write_text("{}")
    export("onnx-int8")
    assert names(tmp_path) == ["model.onnx", "parity.json", "step.json"]


@pytest.mark.parametrize(
    ("measured", "rung", "tried"),
    [
        ([0.004], "all", 1),
        ([0.02, 0.0075], "keep_first_layer", 2),
        ([0.04, 0.03, 0.01, 0.02], "keep_ffn_outputs", 4),
    ],
)
def test_the_ladder_is_climbed_until_few_enough_labels_flip(export, fp32, tmp_path, monkeypatch, measured, rung, tried):
    flips = iter(measured)
    monkeypatch.setattr(parity.Original, "changes_of", lambda *_: changes(next(flips)))
    result = export("onnx-int8", base=fp32("bert").parent)
    assert (result["rung"], list(result["rungs"].values())) == (rung, measured[:tried])
    int8.quantise(fp32("bert"), tmp_path / "expected.onnx", keep_fp32=int8.rungs(fp32("bert"))[rung])
    assert sha256(tmp_path / "model.onnx") == sha256(tmp_path / "expected.onnx")


@pytest.mark.parametrize("worse", [{"decisions": 0.0051}, {"class_f1": 0.011}])
def test_a_rung_that_changes_decisions_or_classes_is_not_taken(export, fp32, monkeypatch, worse):
    found = iter([changes(0.0, **worse), changes(0.006)])
    monkeypatch.setattr(parity.Original, "changes_of", lambda *_: next(found))
    assert export("onnx-int8", base=fp32("bert").parent)["rung"] == "keep_first_layer"


def test_a_rung_is_chosen_on_other_rows_than_judge_it_where_there_are_such(export, fp32, rows, monkeypatch):
    asked, measured = [], []
    monkeypatch.setattr(parity.Original, "changes_of", lambda own, _: asked.append(own.rows) or changes(0.0))
    whole = parity.measure
    monkeypatch.setattr(parity, "measure", lambda own, *more: measured.append(own.rows) or whole(own, *more))
    others = [{**row} for row in rows[:7]]
    result = export("onnx-int8", base=fp32("bert").parent, choosing=others)
    spread = [rows[i * len(rows) // 20] for i in range(20)]
    assert measured == [spread] and [id(row) for row in asked[0]] == [id(row) for row in others]
    assert result["chosen_on"] == {"rows": 7, "apart": True} and result["rows"] == 20
    assert export("onnx-int8", base=fp32("bert").parent)["chosen_on"] == {"rows": 20, "apart": False}
    assert "chosen_on" not in export("onnx", choosing=others) and measured[-1] == spread


def test_a_missing_package_answers_with_its_pip_line(export, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    for module in ("distill.models.to_onnx", "export.parity", "export.int8"):
        monkeypatch.delitem(__import__("sys").modules, module)
    monkeypatch.delattr("distill.models.to_onnx", raising=False)
    with pytest.raises(MissingExtra, match=r"pip install 'distill\[train,cpu\]'"):
        export("onnx")
