import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from distill.core.rendering import LEAST_CHARACTERS
from export import runtime
from export.runtime import BundleError, OtherAnswers, Unavailable, load_bundle, verify
from export.verify import cpu_class, read_json
from tests.core.test_output import steering
from tests.export.tiny_bundle import (
    LABELS,
    MULTI,
    RECORDS,
    SINGLE_TEXT,
    classifier,
    copy_of,
    make_bundle,
    reseal,
    rewrite_golden,
    shared_bundle,
)

FORBIDDEN = ("torch", "transformers", "pydantic", "distill", "export", "pandas", "sklearn")


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(shared_bundle(), threads=1)


@pytest.fixture(scope="module")
def int8():
    return load_bundle(shared_bundle(), "int8", threads=1)


def run_alone(folder, *arguments, python=()):
    """Run a copied bundle's runtime.py outside the repository, without its paths. Args: python: its own options."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-I", "-B", *python, str(folder / "runtime.py"), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=env, cwd=folder.parent)


def reference_logits(bundle, record):
    """float64 logits from the formula of the tiny classifier: per window, then the mean over windows."""
    import onnx

    stored = classifier().graph.initializer
    weights = {item.name: onnx.numpy_helper.to_array(item).astype(np.float64) for item in stored}
    windows = bundle.encode([record])[0].windows
    logits = []
    for window in windows:
        embedded = weights["words"][window.ids] + weights["types"][window.type_ids]
        logits.append(np.tanh(embedded @ weights["dense"]).mean(axis=0) @ weights["head"])
    return np.mean(logits, axis=0), len(windows)


def test_logits_follow_the_model_and_the_mean_over_windows(bundle):
    logits = bundle.logits(RECORDS)
    assert logits.dtype == np.float32 and logits.shape == (len(RECORDS), len(LABELS))
    windows = []
    for row, record in zip(logits, RECORDS, strict=True):
        expected, count = reference_logits(bundle, record)
        windows.append(count)
        np.testing.assert_allclose(row, expected, atol=1e-5)
    assert max(windows) > 1 and min(windows) == 1


def test_max_pooling(tmp_path, bundle):
    folder = copy_of(shared_bundle(), tmp_path)
    before = json.loads((folder / "preprocessing.json").read_text(encoding="utf-8"))
    before["windows"]["pool"] = "max"
    (folder / "preprocessing.json").write_text(json.dumps(before), encoding="utf-8")
    largest = load_bundle(folder, threads=1, verify=False).logits(RECORDS)
    mean = bundle.logits(RECORDS)
    np.testing.assert_allclose(largest[1:], mean[1:], atol=1e-6)
    assert (largest[0] > mean[0]).any() and (largest[0] >= mean[0] - 1e-6).all()


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_size_under_one_is_refused(bundle, size):
    with pytest.raises(ValueError, match="at least 1"):
        bundle.predict(RECORDS, batch_size=size)


def test_order_is_kept_whatever_the_lengths_and_the_batch_size(bundle):
    records = [{"page": {"title": "дрель " * (i * 7 % 11), "body": "x" * (i % 3)}} for i in range(40)]
    alone = np.concatenate([bundle.logits([record]) for record in records])
    for size in (1, 3, 32, 100):
        np.testing.assert_allclose(bundle.logits(records, batch_size=size), alone, atol=1e-5)


def test_threads_that_sleep_give_the_same_answers(bundle):
    asleep = load_bundle(shared_bundle(), threads=2, spinning=False)
    options = asleep.session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.inter_op_num_threads == 1
    assert np.abs(asleep.logits(RECORDS) - bundle.logits(RECORDS)).max() < 1e-4


def test_int8_answers_do_not_depend_on_neighbours_unless_batched(int8):
    alone = np.concatenate([int8.logits([record]) for record in RECORDS])
    assert (int8.logits(RECORDS) == alone).all()
    assert np.abs(int8.logits(RECORDS, batch_size=5) - alone).max() > 1e-3


def test_nested_and_flat_records_are_the_same(bundle):
    nested = {"product": {"title": "Ёлка"}, "page": {"title": "🎧"}}
    flat = {"product.title": "Ёлка", "page.title": "🎧"}
    assert (bundle.logits([nested]) == bundle.logits([flat])).all()


def test_missing_null_and_empty_fields_are_the_same_and_get_an_answer(bundle):
    rows = [{}, {"page": None}, {"page": {"title": ""}, "product.defin": "  "}]
    logits = bundle.logits(rows)
    assert np.isfinite(logits).all() and (logits == logits[0]).all()


def test_probabilities_are_the_softmax_over_the_temperature(bundle):
    logits = bundle.logits(RECORDS).astype(np.float64)
    powers = np.exp(logits / 1.5)
    expected = powers / powers.sum(axis=1, keepdims=True)
    for answer, row, chances in zip(bundle.predict(RECORDS), logits, expected, strict=True):
        assert list(answer) == ["label", "probabilities"] and list(answer["probabilities"]) == list(LABELS)
        assert answer["label"] == LABELS[row.argmax()]
        np.testing.assert_allclose(list(answer["probabilities"].values()), chances, atol=1e-6)


def test_extreme_logits_give_finite_probabilities(bundle):
    chances = bundle.probabilities(np.array([[1000, -1000, 0], [-1e30, -1e30, -1e30]], np.float32))
    np.testing.assert_allclose(chances, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


def test_operating_points_decide_by_the_probability_of_the_positive_label(bundle):
    for name, threshold in (("f1", 0.4), ("recall@P>=0.9", 0.7)):
        answers = bundle.predict(RECORDS, operating_point=name)
        said = [answer["positive"] for answer in answers]
        assert said == [answer["probabilities"]["about_pr"] >= threshold for answer in answers]
    assert {answer["positive"] for answer in bundle.predict(RECORDS, operating_point="f1")} == {True, False}


@pytest.mark.parametrize("name", ["f2", "precision@R>=0.9"])
def test_an_unknown_or_unreached_operating_point_is_refused(bundle, name):
    with pytest.raises(ValueError, match="known: f1, recall@P>=0.9"):
        bundle.predict(RECORDS, operating_point=name)


@pytest.mark.parametrize(
    ("records", "error", "message"),
    [
        ([{}, "text"], TypeError, "record 1: a mapping"),
        ([None], TypeError, "record 0: a mapping"),
        ({"page": {}}, TypeError, "a list of records is needed, got dict"),
        ("text", TypeError, "a list of records"),
        ([{}, {}, {"page": {"title": "bad \ud800"}}], ValueError, "record 2: .*Unicode"),
    ],
)
def test_bad_records_are_named(bundle, records, error, message):
    with pytest.raises(error, match=message):
        bundle.predict(records)


def test_no_records(bundle):
    assert bundle.predict([]) == [] and bundle.logits([]).shape == (0, 3)


def test_multi_label_uses_sigmoids_and_lists_the_labels(tmp_path):
    bundle = load_bundle(make_bundle(tmp_path, MULTI), threads=1)
    logits = bundle.logits(RECORDS)
    assert (logits >= 0).any() and (logits < 0).any()
    for answer, row in zip(bundle.predict(RECORDS), logits.astype(np.float64), strict=True):
        assert answer["label"] == [label for label, value in zip(LABELS, row, strict=True) if value >= 0]
        np.testing.assert_allclose(list(answer["probabilities"].values()), 1 / (1 + np.exp(-row / 1.5)), atol=1e-6)


def test_single_text_views(tmp_path):
    bundle = load_bundle(make_bundle(tmp_path, view=SINGLE_TEXT), threads=1)
    logits = bundle.logits([{"title": "дрель"}, {"title": "дрель", "body": "Bosch " * 50}, {}])
    assert np.isfinite(logits).all() and len(np.unique(logits[:, 0])) == 3


def test_unknown_precision_and_schema_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no precision 'fp16' .*; known: fp32, int8"):
        load_bundle(shared_bundle(), "fp16")
    folder = copy_of(shared_bundle(), tmp_path)
    (folder / "postprocessing.json").write_text('{"schema": 4}', encoding="utf-8")
    with pytest.raises(BundleError, match="postprocessing.json: schema 4, this runtime reads 3"):
        load_bundle(folder, verify=False)


def rewritten(folder, change):
    """A bundle whose manifest says what `change` makes of its entries."""
    held = read_json(folder / "manifest.json")["artifacts"]
    reseal(folder, artifacts={name: change(name, entry) for name, entry in held.items()})
    return folder


def test_an_artifact_that_needs_what_this_machine_lacks_is_passed_over_with_a_warning(tmp_path):
    def on_npu(name, entry):
        return {**entry, "providers": ["NpuExecutionProvider"]} if name == "fp32" else entry

    folder = rewritten(copy_of(shared_bundle(), tmp_path), on_npu)
    with pytest.raises(Unavailable, match="fp32 needs NpuExecutionProvider"):
        load_bundle(folder, "fp32")
    report = verify(folder, 1)
    assert load_bundle(folder).precision == "int8" and list(report["artifacts"]) == ["int8"] and report["passed"]
    assert report["warnings"][0].startswith("fp32: not replayed: fp32 needs NpuExecutionProvider")


def test_a_file_for_one_machine_that_does_not_open_is_a_warning_and_a_portable_one_damage(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    (folder / "model.int8.onnx").write_bytes(b"engine")
    reseal(folder)
    with pytest.raises(BundleError, match="model.int8.onnx cannot be read"):
        verify(folder, 1)
    rewritten(folder, lambda name, entry: {**entry, "portable": name == "fp32"})
    assert verify(folder, 1)["passed"] and "int8: not replayed" in verify(folder, 1)["warnings"][0]


def test_a_bundle_of_which_nothing_runs_here_does_not_pass(tmp_path):
    folder = rewritten(copy_of(shared_bundle(), tmp_path), lambda _, entry: {**entry, "providers": ["Npu"]})
    assert verify(folder, 1)["problems"] == ["no artifact of this bundle runs here"]


def test_a_changed_file_is_refused_unless_asked_not_to_look(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    after = folder / "postprocessing.json"
    after.write_text(after.read_text(encoding="utf-8").replace("1.5", "1.6"), encoding="utf-8")
    load_bundle(folder, verify=False)
    with pytest.raises(BundleError, match=r"postprocessing.json: changed: sha256"):
        load_bundle(folder)


def test_loading_replays_the_artifact_that_it_opens_and_no_other(tmp_path):
    def change(number, line):
        line["logits"]["int8"][0] += 0.01
        return line

    folder = copy_of(shared_bundle(), tmp_path)
    rewrite_golden(folder, change)
    assert load_bundle(folder, "fp32", threads=1).precision == "fp32"
    with pytest.raises(OtherAnswers, match="other answers than when it was built: int8: .*logits differ"):
        load_bundle(folder, "int8", threads=1)


@pytest.mark.parametrize("name", ["verify.py", "rendering.py", "providers.py", "drift.py", "receipts.py"])
@pytest.mark.parametrize("content", [None, "def broken("])
def test_code_that_is_missing_or_damaged_is_named_without_a_traceback(tmp_path, name, content):
    folder = copy_of(shared_bundle(), tmp_path)
    (folder / name).unlink()
    if content:
        (folder / name).write_text(content, encoding="utf-8")
    done = run_alone(folder, "--verify")
    assert done.returncode == 2 and f"{name}: missing or changed" in done.stderr and "Traceback" not in done.stderr


def test_a_python_without_the_packages_is_told_what_to_install(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    versions = read_json(folder / "manifest.json")["versions"]
    asked = " ".join(f"{name}=={versions[name]}" for name in ("onnxruntime", "tokenizers", "numpy"))
    for said in (f"lacks a package, pip install {asked}: No module", "lacks a package, pip install onnxruntime token"):
        done = run_alone(folder, "--verify", python=["-S"])
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
        (folder / "manifest.json").unlink(missing_ok=True)


def test_the_bundle_runs_alone_on_three_packages(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        f"for name in {FORBIDDEN!r}: sys.modules[name] = None\n"
        "from runtime import load_bundle, verify\n"
        f"assert verify({str(folder)!r}, threads=1)['passed']\n"
        f"print(load_bundle({str(folder)!r}, 'int8', 1).predict([{{'page': {{'title': 'дрель'}}}}])[0]['label'])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules if sys.modules[name]}))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    label, modules = done.stdout.split("\n")[:2]
    assert label in LABELS
    assert {"onnxruntime", "tokenizers", "numpy"} <= set(modules.split())
    assert not set(FORBIDDEN) & set(modules.split())


def test_verify_on_the_command_line(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    done = run_alone(folder, "--verify", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "fp32: passed" in done.stdout and "int8: passed" in done.stdout
    (folder / "golden.jsonl").write_bytes((folder / "golden.jsonl").read_bytes()[:-1])
    done = run_alone(folder, "--verify", "--threads", "1")
    assert done.returncode == 2 and "golden.jsonl: changed" in done.stderr and "Traceback" not in done.stderr


def test_predict_on_the_command_line(tmp_path, bundle):
    folder = copy_of(shared_bundle(), tmp_path)
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
    (tmp_path / "in.jsonl").write_text(lines + "\n\n", encoding="utf-8")
    done = run_alone(folder, "--predict", "in.jsonl", "--operating-point", "f1")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["label"] for answer in answers] == [answer["label"] for answer in bundle.predict(RECORDS)]
    assert [answer["id"] for answer in answers] == list(range(1, len(RECORDS) + 1))
    (tmp_path / "in.jsonl").write_text('\n{"id": "a"}\r\n\n{"page": {"title": null}}\n{"id": ""}\n', encoding="utf-8")
    done = run_alone(folder, "--predict", "in.jsonl")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["a", 4, 5]
    (tmp_path / "in.jsonl").write_text('{}\n{"a"\n', encoding="utf-8")
    done = run_alone(folder, "--predict", "in.jsonl")
    assert done.returncode == 2 and "in.jsonl, line 2: not JSON" in done.stderr and "Traceback" not in done.stderr


def test_too_little_memory_on_the_command_line_is_no_traceback(tmp_path, monkeypatch, capsys):
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    def fails(*arguments):
        raise error

    (tmp_path / "in.jsonl").write_text(json.dumps(RECORDS[0]))
    monkeypatch.setattr(runtime.Bundle, "predict", fails)
    given = ["--predict", str(tmp_path / "in.jsonl"), "--bundle", str(shared_bundle())]
    for error in (RuntimeException("Failed to allocate memory for requested buffer of size 144"), MemoryError()):
        assert runtime._main(given) == 2 and capsys.readouterr().err == f"out of memory: {error}\n"
    error = RuntimeException("Got invalid dimensions")
    with pytest.raises(RuntimeException):
        runtime._main(given)


def test_a_file_without_a_field_of_the_view_is_no_file_of_empty_records(tmp_path):
    folder, file = copy_of(shared_bundle(), tmp_path), tmp_path / "in.jsonl"
    for action in ("--predict", "--drift"):
        file.write_text('{"id": 1, "title": "drill"}\n{"page": {"titel": "x"}}\n', encoding="utf-8")
        done = run_alone(folder, action, "in.jsonl")
        assert done.returncode == 2 and done.stdout == ""
        expected = "no record has a field that the model reads: product.title, product.defin, page.title, page.body"
        assert f"{expected}; the first one has id, title" in done.stderr
    file.write_text('{"id": 1, "title": "drill"}\n{"page": {"body": null}}\n', encoding="utf-8")
    assert run_alone(folder, "--predict", "in.jsonl").returncode == 0


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"a":' * 100_000, f'{{"page.title": {"[" * 900 + "]" * 900}}}', "[1]"]
)
def test_a_line_that_is_nested_too_deep_or_no_record_is_no_traceback(tmp_path, line):
    folder = copy_of(shared_bundle(), tmp_path)
    (tmp_path / "in.jsonl").write_text(line + "\n", encoding="utf-8")
    done = run_alone(folder, "--predict", "in.jsonl")
    assert "Traceback" not in done.stderr and (done.returncode == 0 or done.stderr)


def test_what_a_terminal_would_obey_is_shown_as_an_escape(tmp_path):
    folder, poison = copy_of(shared_bundle(), tmp_path), "\x1b[2J\x9b\u202e\U000e0041\x7f"
    (tmp_path / "in.jsonl").write_text(
        json.dumps({"id": poison, "page": {"title": ""}}, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    done = run_alone(folder, "--predict", "in.jsonl")
    assert steering(done.stdout) == [] and json.loads(done.stdout)["id"] == poison
    (tmp_path / f"{poison}.jsonl").write_text("{")
    done = run_alone(folder, "--predict", f"{poison}.jsonl")
    assert done.returncode == 2 and steering(done.stderr) == [] and r"\u001b[2J" in done.stderr


def test_a_text_without_end_is_answered_by_what_could_be_read_of_it(bundle):
    start = "дрель аккумуляторная купить " * 5_000
    asked = []

    class Counting:
        def __getattr__(self, name):
            return getattr(bundle.renderer.tokenizer, name)

        def encode_batch(self, texts, **options):
            asked.extend(map(len, texts))
            return bundle.renderer.tokenizer.encode_batch(texts, **options)

        def encode(self, *texts, **options):
            asked.extend(map(len, texts))
            return bundle.renderer.tokenizer.encode(*texts, **options)

    renderer = type(bundle.renderer)(bundle.before, Counting())
    counted = dataclasses.replace(bundle, renderer=renderer)
    fields = ("product.title", "page.title", "page.body")
    short, endless = ({name: start * times for name in fields} for times in (1, 20))
    np.testing.assert_array_equal(counted.logits([endless]), bundle.logits([short]))
    assert max(asked) <= 2 * LEAST_CHARACTERS + len(" | ")


def test_two_bundles_with_other_renderings_do_not_share_one(tmp_path):
    folders = [copy_of(shared_bundle(), tmp_path / name) for name in ("one", "two")]
    rendering = folders[1] / "rendering.py"
    rendering.write_text(rendering.read_text(encoding="utf-8") + "\n\nRenderer.other = True\n", encoding="utf-8")
    reseal(folders[1])
    code = (
        "import importlib.util, sys\n"
        "for i, folder in enumerate(sys.argv[1:]):\n"
        "    spec = importlib.util.spec_from_file_location(f'runtime_{i}', folder + '/runtime.py')\n"
        "    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)\n"
        "    spec.loader.exec_module(module)\n"
        "    print(hasattr(module.load_bundle(folder).renderer, 'other'))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code, *map(str, folders)], capture_output=True, encoding="utf-8")
    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2 avx512f avx512_vnni", "avx512_vnni"),
        ("fpu avx2 avx_vnni", "avx_vnni"),
        ("avx2 avx512f amx_int8 avx512_vnni", "amx_int8"),
        ("fpu avx avx2", "avx2"),
        ("fp asimd asimddp i8mm", "i8mm"),
    ],
)
def test_cpu_class_is_the_best_int8_instruction_set(tmp_path, flags, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags\t\t: {flags}\n", encoding="utf-8")
    assert cpu_class(path) == expected


def test_cpu_class_without_cpuinfo_is_the_machine(tmp_path):
    import platform

    assert cpu_class(tmp_path / "none") == (platform.machine() or "unknown")


def test_a_bundle_without_its_model_is_refused(tmp_path):
    folder = copy_of(shared_bundle(), tmp_path)
    for path in folder.glob("*.onnx"):
        path.unlink()
    with pytest.raises(BundleError, match="model.int8.onnx: missing"):
        load_bundle(folder)
    shutil.rmtree(folder)
    with pytest.raises(BundleError, match="manifest.json: missing"):
        load_bundle(folder)
