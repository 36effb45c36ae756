import json
import pickletools
import re
import shutil
from pathlib import Path

import pytest
import yaml

import distill.core.rendering
import export.drift
import export.runtime
import export.verify
from distill.core.errors import GateFailed, UserError
from distill.core.files import sha256
from distill.core.label_space import LabelSpace
from distill.core.objectives.single_label import SINGLE
from export import bundle as bundles
from export.artifact import Artifact, Contents
from export.build import note_in_place_of
from export.config import load_target
from export.model_card import front_matter, model_card
from export.runtime import load_bundle
from tests.core.test_output import POISON, steering
from tests.export.tiny_bundle import (
    LABELS,
    POINTS,
    SPACE,
    TARGETS,
    VIEW,
    copy_of,
    latency,
    make_exports,
    make_model,
    quality,
    shared_bundle,
)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    base = tmp_path_factory.mktemp("parts")
    model = make_model(base / "model")
    return model, make_exports(base / "export", model)


def artifacts(exports, **changes):
    return [Artifact(TARGETS[name], path, **changes) for name, path in exports.items()]


def test_the_bundle_holds_the_contract():
    names = {path.name for path in shared_bundle().iterdir()}
    assert names == {
        "manifest.json", "model.onnx", "model.int8.onnx", "tokenizer.json", "config.json", "preprocessing.json",
        "postprocessing.json", "golden.jsonl", "latency.json", "MODEL_CARD.md", "triton", "runtime.py", "rendering.py",
        "verify.py", "providers.py", "engines.py", "drift.py", "drift.json", "receipts.py", "tokenizer_config.json",
        "sentence_bert_config.json",
    }  # fmt: skip
    after = json.loads((shared_bundle() / "postprocessing.json").read_text(encoding="utf-8"))
    assert after["labels"] == list(LABELS) and after["activation"] == "softmax" and after["positive"] == "about_pr"
    assert after["temperature"] == {"fp32": 1.5, "int8": 1.5} and after["operating_points"]["int8"] == POINTS
    before = json.loads((shared_bundle() / "preprocessing.json").read_text(encoding="utf-8"))
    assert before["name"] == "card" and before["left"] == VIEW.left and before["pad_id"] == 0
    assert json.loads((shared_bundle() / "latency.json").read_text(encoding="utf-8")) == latency()


def test_the_manifest_lists_every_file_with_versions_and_lineage():
    manifest = json.loads((shared_bundle() / "manifest.json").read_text(encoding="utf-8"))
    paths = [path for path in shared_bundle().rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert manifest["files"] == {
        path.relative_to(shared_bundle()).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(paths)
    }
    assert manifest["lineage"] == {"teacher": "base@document"} and manifest["cpu"] == export.verify.cpu_class()
    assert {"python", "onnxruntime", "tokenizers", "numpy"} <= set(manifest["versions"])
    assert manifest["artifacts"]["int8"]["file"] == "model.int8.onnx"


def test_the_code_in_the_bundle_is_verbatim_and_nothing_is_a_pickle():
    for module in (export.runtime, export.verify, export.drift, distill.core.rendering):
        source = Path(module.__file__)
        assert (shared_bundle() / source.name).read_bytes() == source.read_bytes()
    for path in shared_bundle().rglob("*"):
        if path.is_file():
            with pytest.raises(ValueError):
                list(pickletools.genops(path.read_bytes()))


def test_equal_inputs_give_equal_bytes_and_leftovers_are_not_listed(tmp_path, parts):
    model, exports = parts
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".golden.jsonl.1.partial").write_text("half", encoding="utf-8")
        (tmp_path / name / "step.json").write_text('{"fingerprint": "1"}', encoding="utf-8")
        bundles.bundle(Contents("tiny", model, artifacts(exports), SPACE, {}), tmp_path / name, threads=1)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    files = json.loads(one[Path("manifest.json")])["files"]
    assert "step.json" not in files and not [name for name in files if "partial" in name]


def test_a_folder_with_files_of_others_is_left_alone(tmp_path, parts):
    model, exports = parts
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="a bundle needs an empty folder"):
        bundles.bundle(Contents("tiny", model, artifacts(exports), SPACE, {}), tmp_path, threads=1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_one_judged_by_parity_is_needed_and_each_target_once(tmp_path, parts):
    model, exports = parts
    again = load_target("onnx").model_copy(update={"name": "another"})
    for chosen in ([TARGETS["int8"]], [TARGETS["fp32"], TARGETS["fp32"]], [TARGETS["fp32"], again]):
        listed = [Artifact(target, exports[target.precision]) for target in chosen]
        with pytest.raises(UserError, match="one file of each target"):
            bundles.bundle(Contents("tiny", model, listed, SPACE, {}), tmp_path, threads=1)


@pytest.mark.parametrize("stored", ['{"finite": false}', "{}"])
def test_an_export_that_is_not_finite_gives_no_bundle(tmp_path, stored):
    model = make_model(tmp_path / "model")
    exports = make_exports(tmp_path / "export", model)
    (exports["int8"] / "parity.json").write_text(stored, encoding="utf-8")
    with pytest.raises(GateFailed, match="'onnx-int8' gives logits that are not finite"):
        bundles.bundle(Contents("tiny", model, artifacts(exports), SPACE, {}), tmp_path, threads=1)


def test_the_manifest_says_what_is_true_of_each_artifact():
    held = json.loads((shared_bundle() / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    facts = ("target", "criterion", "batch_invariant", "portable", "providers")
    cpu = ["CPUExecutionProvider"]
    assert (
        held["fp32"]["tolerances"] == {"CUDAExecutionProvider": 1e-3}
        and "kernels on a GPU" in held["int8"]["elsewhere"]
    )
    assert {name: [entry[fact] for fact in facts] for name, entry in held.items()} == {
        "fp32": ["onnx", "parity", True, True, ["CUDAExecutionProvider", *cpu]],
        "int8": ["onnx-int8", "decisions", False, True, cpu],
    }


def test_manifest_and_card_say_in_whose_place_a_file_is(tmp_path, parts):
    gate = {"name": "decisions tiny.onnx-int8", "required": 0.005, "measured": 0.0081, "why": "f1 of about_pr"}
    failed = [{"target": "onnx-int8", "failed": [gate]}]
    model, exports = parts
    folder = Path(shutil.copytree(exports["int8"], tmp_path / "static"))
    note_in_place_of(folder, failed)
    held = [artifacts(exports)[0], Artifact(load_target("onnx-int8-static"), folder)]
    (tmp_path / "out").mkdir()
    bundles.bundle(Contents("tiny", model, held, SPACE, {}), tmp_path / "out", threads=1)
    entries = json.loads((tmp_path / "out" / "manifest.json").read_text())["artifacts"]
    assert "in_place_of" not in entries["fp32"]
    assert (entries["int8"]["target"], entries["int8"]["in_place_of"]) == ("onnx-int8-static", failed)
    assert entries["int8"]["batch_invariant"] and entries["int8"]["file"] == "model.int8-static.onnx"
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text().replace("\\", "")
    why = "decisions tiny.onnx-int8 0.0081 at f1 of about_pr, at most 0.005"
    assert f"- int8 is onnx-int8-static, in place of onnx-int8, which failed on validation: {why}.\n" in card


def test_the_artifact_with_the_models_own_logits_is_the_default_whatever_the_order(tmp_path, parts):
    model, exports = parts
    listed = [Artifact(TARGETS[name], exports[name]) for name in ("int8", "fp32")]
    bundles.bundle(Contents("tiny", model, listed, SPACE, {}), tmp_path, threads=1)
    assert load_bundle(tmp_path).precision == "fp32"
    assert "  # fp32; or precision=" in (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_labels_in_another_order_than_the_model_are_refused(tmp_path, parts):
    model, exports = parts
    with pytest.raises(UserError, match="labels are not the task's"):
        bundles.bundle(Contents("tiny", model, artifacts(exports), LabelSpace(LABELS[::-1]), {}), tmp_path)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_no_temperature_is_refused(tmp_path, parts, temperature):
    model, exports = parts
    with pytest.raises(ValueError, match="temperature"):
        bundles.bundle(
            Contents("tiny", model, artifacts(exports, temperature=temperature), SPACE, {}), tmp_path, threads=1
        )


def test_a_bundle_that_fails_its_own_check_is_not_made(tmp_path, parts, monkeypatch):
    model, exports = parts
    whole = bundles.write_manifest

    def damaging(folder, content):
        whole(folder, content)
        (folder / "model.onnx").write_bytes(b"onnx")

    monkeypatch.setattr(bundles, "write_manifest", damaging)
    with pytest.raises(GateFailed, match="does not pass its own check"):
        bundles.bundle(Contents("tiny", model, artifacts(exports), SPACE, {}), tmp_path, threads=1)


def test_the_card_tells_use_quality_latency_limits_and_check():
    card = (shared_bundle() / "MODEL_CARD.md").read_text(encoding="utf-8")
    for text in (
        "# tiny", "`about_pr`", "`page.title` (at most 6 tokens)", "at most 3 windows", 'operating_point="f1"',
        "81.23 (79.00–83.00)", "| fp32 | `f1` | 0.4000 | 73.32 | 79.23 | 76.16 |", "`precision@R>=0.9` | – |",
        "2.125", "VNNI", "runtime.py --verify", "base@document", "onnxruntime",
    ):  # fmt: skip
        assert text in card, text
    assert str(Path.cwd()) not in card


def test_the_use_section_runs(monkeypatch, tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    code = (folder / "MODEL_CARD.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=folder)
    assert done.returncode == 0, done.stderr


def test_the_card_shows_names_of_others_and_obeys_none():
    view = VIEW.model_copy(update={"left": (POISON, 'a"b'), "separator": POISON})
    names = {"name": POISON, "labels": [POISON], "view": {"name": POISON}, "cpu": "avx2", "versions": {"x": POISON}}
    names |= {"license": "MIT", "holds": {"real_records": 1}, "run": {"finished": {POISON: POISON}}}
    origin = {
        "encoder": dict.fromkeys(("name", "revision", "license"), POISON),
        "project": {"commit": POISON, "dirty": True},
        "data": {POISON: {"license": POISON, "files": [{"name": POISON, "sha256": POISON, "rows": 3}]}},
    }
    entry = {"criterion": "parity", "providers": [], "tolerance": 1e-4}
    manifest = {**names, "artifacts": {"fp32": entry}, "lineage": {POISON: {POISON: POISON}, **origin}}
    artifact = Artifact(TARGETS["fp32"], Path("."), operating_points={POISON: 0.5}, quality={POISON: {"rows": 1}})
    laid = {"sessions": 2, "threads": 1, "batch": 1, "per_s": 1312.0, "ratio": 1.31, "low": 1.27, "high": 1.36}
    card = model_card(manifest, view, {"fp32": artifact}, [{"model": POISON, "layouts": [laid]}], SINGLE)
    assert " | 2 | 1 | 1 | 1312 | 1.31× (1.27×–1.36×) |" in card
    assert steering(card) == [] and "onerror" in card
    outside = re.sub(r"(`+).+?(?<!`)\1(?!`)", "", re.sub(r"```python\n[\s\S]*?\n```", "", card))
    assert "<img" not in outside and "![x](" not in outside


def test_the_card_says_what_was_not_measured():
    manifest = json.loads((shared_bundle() / "manifest.json").read_text(encoding="utf-8"))
    manifest["artifacts"] = {"fp32": manifest["artifacts"]["fp32"]}
    card = model_card(manifest, VIEW, {"fp32": Artifact(TARGETS["fp32"], Path())}, [], SINGLE)
    assert card.count("Not measured.") == 2 and "VNNI" not in card and "Operating points" not in card
    partial = {"test.a": {"rows": 3, "accuracy": {"value": None, "low": None, "high": None}, "positive": None}}
    card = model_card(
        manifest, VIEW, {"fp32": Artifact(TARGETS["fp32"], Path(), 1.0, POINTS, partial)}, latency(), SINGLE
    )
    assert "| fp32 | test.a | 3 | – | – | – | – | – |" in card
    assert quality()["valid"]["rows"] == 100


def test_the_model_card_tells_what_limits_its_figures():
    manifest = json.loads((shared_bundle() / "manifest.json").read_text(encoding="utf-8"))
    manifest["artifacts"] = {"fp32": manifest["artifacts"]["fp32"]}
    blocks = {"test.a": {**quality()["test.unseen"], "absent": ["ment_pr"]}, "test.b": quality()["test.unseen"]}
    limited = model_card(
        manifest, VIEW, {"fp32": Artifact(TARGETS["fp32"], Path(), 20.0, POINTS, blocks)}, latency(), SINGLE
    )
    assert "- No row of test.a has the label ment_pr: it counts as 0 in macro F1." in limited
    assert "- The temperature of fp32, 20, is the bound of what is looked for" in limited
    plain = {"fp32": Artifact(TARGETS["fp32"], Path(), 1.2, POINTS, quality())}
    card = model_card(manifest, VIEW, plain, latency(), SINGLE)
    assert "No row of" not in card and "bound" not in card


@pytest.mark.parametrize(
    ("license_", "head"),
    [
        ("not stated", {"license": "unknown"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("GPL-3.0-or-later", {"license": "gpl-3.0"}),
        ("MIT OR Apache-2.0", {"license": "other", "license_name": "MIT OR Apache-2.0"}),
        ("LicenseRef-Ours", {"license": "other", "license_name": "LicenseRef-Ours"}),
    ],
)
def test_the_head_of_the_card_is_what_the_hub_reads(license_, head):
    lines = front_matter({"license": license_})
    assert lines[0] == lines[-2] == "---" and lines[-1] == ""
    found = yaml.safe_load("\n".join(lines[1:-2]))
    assert found == {**head, "library_name": "onnx", "pipeline_tag": "text-classification"}
