import json

import numpy as np
import pytest

from distill.core.errors import GateFailed, UserError
from export import verify as checks
from export.checked_bundle import open_bundle, report_lines, verify
from export.expected import answers
from tests.export.tiny_bundle import POINTS, SPACE, copy_of, reseal, rewrite_golden, shared_bundle

FILES = sorted(path.relative_to(shared_bundle()).as_posix() for path in shared_bundle().rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path):
    return copy_of(shared_bundle(), tmp_path)


def test_a_whole_bundle_passes():
    report = verify(shared_bundle(), threads=1)
    assert report["passed"] and report["problems"] == [] and report["warnings"] == []
    assert report["files"] == len(FILES) - 1 and report["records"] >= 100
    compared = {name: result["compared"] for name, result in report["artifacts"].items()}
    assert compared == {"fp32": "logits", "int8": "logits"}
    assert report_lines(report)[0].startswith(f"{len(FILES) - 1} files unchanged")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_flipped_bit_in_any_file_is_refused_by_name(folder, name, place):
    path = folder / name
    data = bytearray(path.read_bytes())
    data[{"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[place]] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        verify(folder, threads=1)
    assert caught.value.exit_code == 2 and caught.value.where == str(path)


def test_every_byte_of_the_manifest_counts(folder):
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
        with pytest.raises(checks.BundleError, match="manifest.json"):
            checks.check(folder)
    path.write_bytes(whole.replace(b"\n  ", b"\n\t", 1))
    with pytest.raises(checks.BundleError, match="seal"):
        checks.check(folder)
    path.write_bytes(whole)
    checks.check(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match="missing") as caught:
        verify(folder, threads=1)
    assert caught.value.where == str(folder / name)


def test_a_manifest_without_a_seal_is_refused(folder):
    manifest = checks.read_json(folder / "manifest.json")
    del manifest["seal"]
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="seal"):
        verify(folder, threads=1)


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "teacher.onnx",
        "triton/model.onnx",
        "__pycache__/other.cpython-311.pyc",
        "__pycache__/runtime.pyc.1x",
        ".cache/huggingface",
        "triton/.gitattributes",
        "README.md",
    ],
)
def test_a_file_that_no_bundle_has_is_refused_listed_or_not(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes((folder / "model.onnx").read_bytes())
    for _ in range(2):
        with pytest.raises(UserError, match="no file of this bundle") as caught:
            verify(folder, threads=1)
        assert caught.value.where == str(folder / name)
        reseal(folder)


@pytest.mark.parametrize("name", ["numpy", "triton/more"])
def test_a_linked_folder_is_refused_as_its_files_would_be(folder, tmp_path, name):
    """Python would take the code in `numpy` for the library."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "__init__.py").write_text("print('not ours')", encoding="utf-8")
    (folder / name).symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(UserError, match="no file of this bundle") as caught:
        verify(folder, threads=1)
    assert caught.value.where == str(folder / name)


def test_the_project_is_a_file_of_the_bundle_where_the_manifest_says_so(folder):
    (folder / "project.yaml").write_text("task: {labels: auto}\n", encoding="utf-8")
    reseal(folder)
    with pytest.raises(UserError, match="no file of this bundle"):
        verify(folder, threads=1)
    reseal(folder, holds={**checks.read_json(folder / "manifest.json")["holds"], "project": "project.yaml"})
    assert verify(folder, threads=1)["passed"]
    (folder / "project.yaml").write_text("task: {labels: butp}\n", encoding="utf-8")
    with pytest.raises(UserError, match="changed") as caught:
        verify(folder, threads=1)
    assert caught.value.where == str(folder / "project.yaml")


def test_byte_code_the_signature_and_the_steps_record_may_be_there(folder):
    (folder / "step.json").write_text("{}", encoding="utf-8")
    (folder / "manifest.sig").write_text("c2lnbmVk", encoding="utf-8")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "runtime.cpython-311.pyc").write_bytes(b"x")
    (folder / "__pycache__" / "runtime.cpython-311.pyc.140234").write_bytes(b"x")  # as Python writes it, then renames
    assert verify(folder, threads=1)["warnings"] == []


def test_a_bundle_may_come_from_the_hugging_face_hub(folder):
    """What its tools put there is read by nobody, and is refused as a part of the bundle."""
    names = [".gitattributes", ".cache/huggingface/.gitignore", ".cache/huggingface/download/model.onnx.metadata"]
    (folder / ".cache" / "huggingface" / "download").mkdir(parents=True)
    for name in names:
        (folder / name).write_text("*.onnx filter=lfs\n", encoding="utf-8")
    assert verify(folder, threads=1)["warnings"] == [] and open_bundle(folder, "fp32", 1).labels == list(SPACE.labels)
    reseal(folder)
    with pytest.raises(UserError, match="no file of this bundle"):
        verify(folder, threads=1)


def test_code_of_another_version_is_hashed_and_told_not_run(folder):
    path = folder / "runtime.py"
    path.write_text(path.read_text("utf-8") + "\nraise SystemExit\n", "utf-8")
    reseal(folder)
    assert verify(folder, threads=1)["warnings"][0].startswith("runtime.py: not this version's, and was not run")


@pytest.mark.parametrize(("precision", "shift"), [("fp32", 3e-4), ("int8", 3e-3)])
def test_other_logits_are_caught_even_when_the_manifest_fits(folder, precision, shift):
    def change(number, line):
        line["logits"][precision][1] += shift if number == 7 else 0
        return line

    rewrite_golden(folder, change)
    with pytest.raises(GateFailed, match=f"{precision}: .*logits differ by 0.00") as caught:
        verify(folder, threads=1)
    assert caught.value.exit_code == 3


def test_logits_within_the_tolerance_pass(folder):
    def change(number, line):
        line["logits"]["fp32"][0] += 5e-5
        return line

    rewrite_golden(folder, change)
    assert verify(folder, threads=1)["passed"]


def test_recorded_logits_that_are_nan_do_not_pass(folder):
    def change(number, line):
        line["logits"]["fp32"][0] = float("nan") if number == 3 else line["logits"]["fp32"][0]
        return line

    rewrite_golden(folder, change)
    with pytest.raises(UserError, match="nan"):
        verify(folder, threads=1)


@pytest.mark.parametrize("key", ["ids", "type_ids"])
def test_other_token_ids_are_caught(folder, key):
    def change(number, line):
        line["windows"][0][key][1] += 1 if number == 11 else 0
        return line

    rewrite_golden(folder, change)
    with pytest.raises(GateFailed, match="token ids differ"):
        verify(folder, threads=1)


def test_a_tokenizer_that_came_from_elsewhere_is_caught(folder):
    tokenizer = checks.read_json(folder / "tokenizer.json")
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    reseal(folder)
    with pytest.raises(GateFailed, match="token ids differ"):
        verify(folder, threads=1)


def test_swapped_models_are_caught(folder):
    fp32, int8 = folder / "model.onnx", folder / "model.int8.onnx"
    both = fp32.read_bytes(), int8.read_bytes()
    fp32.write_bytes(both[1])
    int8.write_bytes(both[0])
    reseal(folder)
    with pytest.raises(GateFailed):
        verify(folder, threads=1)


def test_on_another_processor_int8_is_compared_by_label_with_a_warning(folder):
    def change(number, line):
        line["logits"]["int8"] = [9.0, 0.0, 0.0]
        line["answers"]["int8"] = answers(np.float32([[9, 0, 0]]), SPACE, 1.5, POINTS)[0]
        return line

    rewrite_golden(folder, change)
    reseal(folder, cpu="another")
    report = verify(folder, threads=1)
    flips = report["artifacts"]["int8"]["label_flips"]
    assert 0 < flips < report["records"] and report["artifacts"]["int8"]["compared"] == "labels"
    assert f"int8: {flips} of {report['records']} labels differ" in report["warnings"][0]
    reseal(folder, cpu=checks.cpu_class())
    with pytest.raises(GateFailed, match="int8"):
        verify(folder, threads=1)


def test_fp32_is_held_to_its_tolerance_on_any_processor(folder):
    def change(number, line):
        line["logits"]["fp32"][2] += 1e-3
        return line

    rewrite_golden(folder, change)
    reseal(folder, cpu="another")
    with pytest.raises(GateFailed, match="fp32"):
        verify(folder, threads=1)


def test_long_lists_of_problems_are_cut(folder):
    def change(number, line):
        line["logits"]["fp32"][2] += 1
        return line

    rewrite_golden(folder, change)
    with pytest.raises(GateFailed, match="… and [0-9]{3} more"):
        verify(folder, threads=1)


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_a_folder_that_is_no_bundle_is_a_user_error(tmp_path, path):
    with pytest.raises(UserError, match="not a bundle"):
        verify(tmp_path / path, threads=1)


def test_a_bundle_of_another_version_is_none_that_is_damaged(folder):
    reseal(folder, schema=2)
    with pytest.raises(UserError, match=r"of another version[\s\S]*schema 2[\s\S]*its own runtime\.py reads it"):
        verify(folder, threads=1)
    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    (folder / "manifest.json").write_text(manifest.replace('"schema": 2', '"schema": 4'), encoding="utf-8")
    with pytest.raises(UserError, match=r"the bundle is damaged[\s\S]*schema 4"):
        verify(folder, threads=1)


def test_open_bundle_checks_files_and_precision(folder):
    assert open_bundle(folder, "int8", threads=1).precision == "int8"
    with pytest.raises(UserError, match="no precision 'fp16'"):
        open_bundle(folder, "fp16")
    with pytest.raises(UserError, match=r"cannot be used like that[\s\S]*no provider 'npu'"):
        open_bundle(folder, provider="npu")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        open_bundle(folder)
