"""A target of one's own: one class and one YAML, and it is exported, judged, timed, bundled and verified."""

import importlib
import json
import shutil
import sys

import pytest

from benchmarks.latency_worker import run_job
from benchmarks.subjects import Subject, trained_subject
from distill.core.config import load_yaml
from distill.core.errors import UserError
from distill.core.label_space import LabelSpace
from distill.core.project import Gates
from distill.evaluation.entries import Parity
from distill.evaluation.gates import judged_parity, parity_gates
from distill.families.encoder import Encoder
from distill.models import to_onnx
from export import bundle as bundles
from export import targets
from export.artifact import Artifact, Contents
from export.build import export_target
from export.checked_bundle import verify
from export.config import load_target, parse_target
from export.evidence import Evidence, Sample
from export.runtime import load_bundle
from tests.export.conftest import LABELS

CLASS = '''
import shutil
from typing import ClassVar

from export.targets.base import Target


class OnnxAgain(Target):
    """The fp32 file under another name."""

    precision: ClassVar[str] = "fp32"
    criterion: ClassVar[str] = "parity"
    batch_invariant: ClassVar[bool] = True
    file: ClassVar[str] = "model.again.onnx"
    model: ClassVar[str] = "again.onnx"
    starts_from: ClassVar[str] = "onnx_fp32"

    def build(self, source, folder):
        shutil.copyfile(source.base / "model.onnx", folder / self.model)
        return {"copied": True}
'''


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which target classes are found; what was imported from it is forgotten after the test."""
    folder = tmp_path / "targets"
    folder.mkdir()
    before = set(sys.modules)
    monkeypatch.setattr(targets, "__path__", [*targets.__path__, str(folder)])
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("export.targets."):
            del sys.modules[name]


@pytest.fixture
def again(place, tmp_path):
    """The target `onnx-again`, from its class and its YAML."""
    (place / "onnx_again.py").write_text(CLASS, encoding="utf-8")
    importlib.invalidate_caches()
    (tmp_path / "onnx-again.yaml").write_text("target: onnx_again\nparity_rows: 30\n", encoding="utf-8")
    values = load_yaml(tmp_path / "onnx-again.yaml")
    return parse_target({"name": "onnx-again", **values}, "onnx-again.yaml")


@pytest.fixture
def exported(again, model_folder, fp32, rows, tmp_path, monkeypatch):
    """Artifacts of tiny BERT as both fp32 targets and int8, each exported by the step; its trace is the session's."""
    monkeypatch.setattr(to_onnx, "export_fp32", lambda folder, out: shutil.copyfile(fp32("bert"), out))
    made = []
    for target in (load_target("onnx", {"parity_rows": 30}), again, load_target("onnx-int8", {"parity_rows": 30})):
        folder = tmp_path / "export" / target.name
        folder.mkdir(parents=True)
        base = made[0].folder if made and target is not again else None
        export_target(target, model_folder("bert"), Evidence(Sample(rows)), folder, base)
        made.append(Artifact(target, folder, temperature=1.0 + len(made), operating_points={"f1": 0.5}))
    return made


def test_one_class_and_one_yaml_go_all_the_way(exported, model_folder, rows, tmp_path):
    stored = [json.loads((one.folder / "parity.json").read_text()) for one in exported]
    assert [one["criterion"] for one in stored] == ["parity", "parity", "decisions"] and stored[1]["copied"]
    gates = parity_gates(map(Parity.from_json, judged_parity(Gates(int8_flips=1), stored)))
    assert [(gate.subject.rpartition(".")[2], gate.required, gate.passed) for gate in gates] == [
        ("onnx", 1e-4, True),
        ("onnx-again", 1e-4, True),
        ("onnx-int8", 1, True),
    ]
    assert sorted(path.name for path in exported[1].folder.iterdir()) == ["again.onnx", "parity.json"]

    out = tmp_path / "bundle"
    out.mkdir()
    space = LabelSpace(tuple(LABELS), positive="about_pr")
    bundles.bundle(Contents("tiny", model_folder("bert"), exported, space, {}), out, threads=1)
    assert (out / "model.again.onnx").read_bytes() == (out / "model.onnx").read_bytes()
    assert verify(out, threads=1)["passed"]
    after = json.loads((out / "postprocessing.json").read_text(encoding="utf-8"))
    assert after["temperature"] == {"fp32": 1.0, "onnx-again": 2.0, "int8": 3.0}
    assert list(after["operating_points"]) == ["fp32", "onnx-again", "int8"]
    records = [{"product.title": row["product.title"]} for row in rows[:5]]
    one, other = (load_bundle(out, name, 1).logits(records) for name in ("fp32", "onnx-again"))
    assert (one == other).all()
    assert (out / "triton" / "tiny_onnx-again" / "config.pbtxt").exists()


def test_it_is_timed_as_any_other(exported, model_folder, rows):
    again = exported[1]
    trained = trained_subject("tiny@card", "card", model_folder("bert"), "student", Encoder())
    subject = Subject.from_json(trained.exported(again.target, again.folder).as_json())
    assert (subject.name, subject.precision, subject.export) == ("tiny@card.onnx-again", "fp32", again.folder)
    config = {"warmup": 1, "throughput_batch": 4}
    result = run_job({"subject": subject.as_json(), "rows": rows[:6], "threads": 1, "config": config})
    assert len(result["batches"]["1"]["total_ns"]) == 6


def test_two_files_of_one_name_are_refused_before_anything_is_written(exported, model_folder, tmp_path):
    twice = [exported[0], exported[1], exported[1]]
    with pytest.raises(UserError, match="one file of each target"):
        bundles.bundle(
            Contents("tiny", model_folder("bert"), twice, LabelSpace(tuple(LABELS)), {}), tmp_path, threads=1
        )


def test_its_name_is_offered_for_a_misspelt_one(again):
    with pytest.raises(UserError, match="target: unknown 'onnx_agian', did you mean 'onnx_again'"):
        load_target("onnx", {"target": "onnx_agian"})


def test_a_class_that_forgets_a_fact_is_named(place):
    (place / "half.py").write_text(CLASS.replace('    criterion: ClassVar[str] = "parity"\n', ""), encoding="utf-8")
    importlib.invalidate_caches()
    with pytest.raises(AssertionError, match="OnnxAgain does not say its criterion"):
        targets.target_class("half")
