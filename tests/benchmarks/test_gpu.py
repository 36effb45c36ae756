"""The GPU kit without a card: every part on the processor with tiny models, its budget, its environment, its pieces."""

import importlib
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from benchmarks.datasets import data_set
from benchmarks.gpu import __main__ as kit
from benchmarks.gpu import artifacts, labelling, marked_tests, quality, running, serving, wheels
from benchmarks.gpu.card import card, shared_card
from benchmarks.gpu.flops import forward_flops
from benchmarks.gpu.job import ROOT, Job
from benchmarks.gpu.pack import LIST, pack, unpack
from benchmarks.gpu.page import gpu_page
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.running import Budget, in_process, run_parts
from benchmarks.gpu.stopping import started, stop
from benchmarks.layouts import BATCHES
from distill.core.errors import UserError
from export.config import load_target

HERE = {"card": None}
MARKED = "import pytest\n\n\n@pytest.mark.gpu\ndef test_one():\n    pass\n"


def measured(name, job):
    """A part in this process, which has its libraries already."""
    return {"status": "done", "figures": PARTS[name].measure(job)}


def trial_root(folder):
    """A repository of one source and one marked test."""
    for path, text in (("tests/test_one.py", MARKED), ("distill/source.py", "x = 1\n")):
        (folder / "root" / path).parent.mkdir(parents=True)
        (folder / "root" / path).write_text(text)
    return folder / "root"


def explode(name, job):
    raise AssertionError(f"{name} was measured")


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Every part as `--device cpu --tiny` runs it, on a repository of one marked test: job, results, outcomes.

    Two targets stand for all of them: each has its own tests of how it is built.
    """
    base = tmp_path_factory.mktemp("gpu")
    root = trial_root(base)
    for name in ("data", "encoder"):
        (base / name).mkdir()
    job = Job(base / "work", "cpu", tiny=True, root=root, data=base / "data", encoder=base / "encoder", threads=1)
    parts = {name: part for name, part in PARTS.items() if name != "quality"}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(artifacts, "target_names", lambda: ["onnx", "onnx-int8"])
        return job, base / "results", run_parts(parts, job, HERE, base / "results", Budget(300), measured)


@pytest.fixture
def figures(trial):
    return lambda name: json.loads((trial[1] / f"{name}.json").read_text())["figures"]


def test_every_part_gives_figures(trial, figures):
    _, _, outcomes = trial
    assert outcomes == dict.fromkeys(("parity", "labelling", "training", "serving", "tests"), "done")
    targets = {cell["target"]: cell for cell in figures("parity")["cells"]}
    assert set(artifacts.EXPECTED) == set(targets)
    assert targets["tensorrt-bf16"]["outcome"] == "the target is not registered"
    assert targets["onnx"]["max_abs_diff"] < 1e-4 and targets["onnx-int8"]["provider"] == "cpu"
    for cell in figures("labelling")["cells"]:
        assert cell["rows"] == 48 and cell["pairs_per_s"] > 0 and 0 < cell["share_of_peak"]
    assert [cell["unpadded"] for cell in figures("labelling")["cells"]] == [False, True]
    assert [cell["layers"] for cell in figures("training")["cells"]] == [1]
    assert all(cell["step_ms"] * cell["steps_per_s"] == pytest.approx(1000) for cell in figures("training")["cells"])
    served = {cell["model"]: cell for cell in figures("serving")["cells"]}
    assert {"pytorch fp16, compiled", "pytorch fp32 on cpu", "onnx on cpu", "onnx-int8 on cpu"} <= set(served)
    assert served["pytorch fp16, compiled"]["faster_at_1"] == 1
    assert [one["outcome"] for one in figures("tests")["tests"]] == ["collected"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_that_cannot_be_compiled_leaves_the_other_figures(tmp_path, monkeypatch, fails):
    asked = []

    def cell(job, layers, width, way, pool):
        asked.append((layers, way.compiled))
        if way.compiled and fails:
            raise RuntimeError("no compiler\nat a place")
        about = {"layers": layers, "width": width, "mean_tokens": way.tokens, "unpadded": way.unpadded}
        return {**about, "compiled": way.compiled, "pairs_per_s": 9000.0, "tflops": 50.0}

    monkeypatch.setattr(labelling, "_cell", cell)
    monkeypatch.setattr(labelling, "peak", lambda device: {"tflops": 100.0})
    found = labelling.measure(Job(tmp_path, "cuda"))
    assert asked[-1] == (12, True) and [compiled for _, compiled in asked].count(True) == 1
    assert len(found["cells"]) == len(asked) - fails
    assert found.get("left_out") == ({"compiled": "no compiler"} if fails else None)


@pytest.mark.parametrize("fails", [False, True])
def test_a_baseline_that_cannot_be_compiled_leaves_the_other_artifacts(tmp_path, monkeypatch, fails):
    def timed(scorer, served, watch):
        if fails and scorer == serving.BASELINE:
            raise RuntimeError("no Python.h\nat a place")
        times = {"total_ns": [2_000_000], "tokenise_ns": [1_000_000]}
        return {"batches": {"1": times}, "tokens": [25], "layouts": {BATCHES: 9.0}}

    names = (serving.BASELINE, "onnx on cuda")
    monkeypatch.setattr(serving, "_scorers", lambda job, left_out: [(name, name) for name in names])
    monkeypatch.setattr(serving, "time_scorer", timed)
    found = serving.measure(Job(tmp_path, "cuda", tiny=True))
    assert [cell["model"] for cell in found["cells"]] == list(names[fails:])
    assert ["faster_at_1" in cell for cell in found["cells"]] == ([False] if fails else [True, True])
    assert found["left_out"] == ({serving.BASELINE: "RuntimeError: no Python.h"} if fails else {})


def test_on_a_card_files_are_asked_there_alone_and_int8_is_refused_with_the_reason(tmp_path):
    job = Job(tmp_path, "cuda")
    assert (
        artifacts._providers(job, load_target("onnx"))
        == artifacts._providers(job, load_target("onnx-int8"))
        == ["cuda"]
    )
    said = artifacts._on("cuda", load_target("onnx-int8"), tmp_path, None)["outcome"]
    assert said.startswith("refused: must not run on cuda: its integer products have no kernels")


def test_what_is_done_is_kept_until_a_source_changes(trial, tmp_path):
    job, results, _ = trial
    parts = {name: PARTS[name] for name in ("training", "tests")}
    assert run_parts(parts, job, HERE, results, Budget(300), explode) == dict.fromkeys(parts, "kept")
    asked = []

    def fails(name, job):
        asked.append(name)
        return {"status": "failed", "said": "no"}

    added = job.root / "tests" / "test_two.py"
    added.write_text(MARKED)
    assert run_parts(parts, job, HERE, results, Budget(300), fails) == {"training": "kept", "tests": "failed"}
    added.unlink()
    stored = json.loads((results / "tests.json").read_text())
    assert asked == ["tests"] and stored["status"] == "done" and stored["later"]["said"] == "no"
    assert "A later start: failed, no." in gpu_page(results)


def test_the_page_shows_each_part_or_says_that_it_was_never_run(trial, tmp_path):
    page = gpu_page(trial[1])
    assert "Never measured so far: `quality`." in page and "This part (`--parts quality`) was never run." in page
    assert "| `onnx-int8` | cpu |" in page and "TFLOP/s" in page and "a processor, for a trial" in page
    empty = gpu_page(tmp_path)
    assert empty.count("was never run.") == len(PARTS) and "`parity`, `labelling`" in empty
    assert (ROOT / "docs" / "gpu.md").read_text("utf-8") == gpu_page(ROOT / "benchmarks" / "results" / "gpu")


def test_the_budget_is_shared_and_what_is_missing_is_left_out(tmp_path):
    clock = iter(range(0, 10_000, 40))
    asked = {}

    def takes(name, job):
        asked[name] = job.seconds
        return {"status": "stopped", "said": "over"}

    job = Job(tmp_path / "work", "cpu", tiny=True, root=tmp_path)
    outcomes = run_parts(PARTS, job, HERE, tmp_path / "results", Budget(300, lambda: next(clock)), takes)
    assert outcomes["tests"] == outcomes["quality"] == "absent" and outcomes["parity"] == "stopped"
    assert outcomes["serving"] == "no time" and all(0 < seconds <= 120 for seconds in asked.values())
    stored = json.loads((tmp_path / "results" / "quality.json").read_text())
    assert "--data FOLDER" in stored["said"] and "figures" not in stored
    assert "has no figures: stopped, over." in gpu_page(tmp_path / "results")


def test_a_part_is_stopped_when_its_time_is_over(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_slow.py").write_text(MARKED + "import time\ntime.sleep(60)\n")
    found = in_process("tests", Job(tmp_path / "work", "cpu", tiny=True, root=tmp_path, seconds=0.5))
    assert found["status"] == "stopped" and "after 0 s" in found["said"]


def test_what_is_stopped_ends_with_all_that_it_started(tmp_path):
    child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {child!r}])"
    with (tmp_path / "log").open("wb") as log:
        process = started([sys.executable, "-S", "-c", code], log, os.environ)
        while not (tmp_path / "pid").is_file() or not (pid := (tmp_path / "pid").read_text()):
            time.sleep(0.02)
        stop(process)
    assert process.returncode is not None
    until = time.monotonic() + 20
    while (path := Path(f"/proc/{pid}/stat")).exists() and path.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until, "what it started still runs"
        time.sleep(0.02)


def test_of_a_part_that_is_stopped_what_it_has_measured_remains(tmp_path, monkeypatch):
    """Its first figures are there when its time is over; the page shows them, and the next start measures it again."""
    code = (
        "import json, sys, time; from benchmarks.gpu.job import Job; "
        "job = Job.from_json(json.loads(sys.argv[1])['job']); "
        "job.keep({'tests': [{'name': 'a', 'outcome': 'passed', 'seconds': 1, 'said': ''}]}); time.sleep(60)"
    )
    monkeypatch.setattr(running, "PROGRAM", ("-S", "-c", code))
    job = Job(tmp_path / "work", "cpu", tiny=True, root=trial_root(tmp_path))
    part = PARTS["tests"]._replace(minutes=3 / 60)
    assert run_parts({"tests": part}, job, HERE, tmp_path / "out", Budget(300)) == {"tests": "stopped"}
    assert "| `a` | passed |" in gpu_page(tmp_path / "out") and "Not whole: stopped, after 3 s" in gpu_page(
        tmp_path / "out"
    )
    assert run_parts({"tests": part}, job, HERE, tmp_path / "out", Budget(300), measured) == {"tests": "done"}


def test_marked_tests_are_run_and_each_has_its_outcome(tmp_path):
    """On a card they are run: here the marker is all that tells them from others."""
    text = (
        "import pytest\npytestmark = pytest.mark.gpu\n\ndef test_a():\n    pass\n\ndef test_b():\n    assert 0, 'why'\n"
    )
    text += "\n@pytest.mark.skip('no')\ndef test_c():\n    pass\n"
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(text)
    (tmp_path / "tests" / "test_other.py").write_text("import nowhere\n")
    found = marked_tests.measure(Job(tmp_path, "cuda", root=tmp_path))["tests"]
    assert [(one["name"].rpartition("::")[2], one["outcome"]) for one in found] == [
        ("test_a", "passed"),
        ("test_b", "failed"),
        ("test_c", "skipped"),
    ]
    assert "why" in found[1]["said"]


def test_a_part_that_fails_says_why(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_broken.py").write_text(MARKED + "import nowhere\n")
    found = in_process("tests", Job(tmp_path / "work", "cpu", tiny=True, root=tmp_path, seconds=60))
    assert found["status"] == "failed" and "pytest ended with an error" in found["said"]


def test_without_a_card_nothing_is_installed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "wheels").mkdir()
    work = tmp_path / "work"
    assert kit.main(["--work", str(work), "--wheels", str(tmp_path / "wheels")]) == 2
    assert "there is no CUDA device here" in capsys.readouterr().err and not work.exists()
    assert kit.main(["--work", str(work), "--parts", "paryti"]) == 2
    assert "did you mean 'parity'" in capsys.readouterr().err
    assert kit.main(["--work", str(work), "--tiny"]) == 2 and "--results" in capsys.readouterr().err


def test_a_bare_python_can_plan(tmp_path):
    """Before its environment is there, the kit has the standard library alone."""
    command = [sys.executable, "-S", "-P", "-m", "benchmarks.gpu", "--dry-run", "--device", "cpu", f"--work={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["parity", "at"] and "missing: --data FOLDER, --encoder FOLDER" in done.stdout
    assert "in all at most 8.5 min" in done.stdout and list(tmp_path.iterdir()) == []


def test_the_tables_of_quality_are_asked_for_in_words_that_their_commands_know(tmp_path):
    job = Job(tmp_path, data=tmp_path / "d", encoder=tmp_path / "e")
    for made in quality.COMMANDS.values():
        module, *given = made(job, tmp_path / "out")
        options = importlib.import_module(module)._parser().parse_args(given)
        assert (options.data, options.results) == (tmp_path / "d", tmp_path / "out")
        for name in getattr(options, "datasets", []):
            assert data_set(name)
    assert quality.missing(job) == [
        f"{tmp_path / 'd'} (--data) is no folder",
        f"{tmp_path / 'e'} (--encoder) is no folder",
    ]


def tool(folder, name, lines):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + lines)
    (folder / name).chmod(0o755)


def test_the_card_is_what_its_driver_says_and_the_service_ends_with_the_block(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with shared_card(tmp_path / "mps") as variables:
        assert variables == {}
    tool(tmp_path / "bin", "nvidia-smi", 'echo "NVIDIA H100 80GB HBM3, 580.159.04, 81559, 9.0"\n')
    assert card() == {
        "card": "NVIDIA H100 80GB HBM3",
        "driver": "580.159.04",
        "memory_mib": "81559",
        "compute_capability": "9.0",
    }
    log = tmp_path / "log"
    tool(tmp_path / "bin", "nvidia-cuda-mps-control", f'echo "$1" >> {log}\n[ "$1" ] || cat >> {log}\n')
    with shared_card(tmp_path / "mps") as variables:
        assert variables["CUDA_MPS_PIPE_DIRECTORY"] == str(tmp_path / "mps")
    assert log.read_text().split() == ["-d", "quit"]
    tool(tmp_path / "bin", "nvidia-smi", "exit 9\n")
    assert card() is None


def wheel(folder, name, version):
    folder.mkdir(exist_ok=True)
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", f"version = {version!r}\n")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path


def test_the_environment_has_the_wheels_first_and_then_what_the_machine_has(tmp_path):
    with pytest.raises(UserError, match="no wheels"):
        wheels.environment(tmp_path / "wheels", tmp_path / "made")
    wheel(tmp_path / "wheels", "iniconfig", "99.0")  # the machine has another one of this name
    python = wheels.environment(tmp_path / "wheels", tmp_path / "made")
    code = "import iniconfig, numpy; print(iniconfig.version)"
    done = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "99.0", done.stderr
    made = (tmp_path / "made" / "wheels.json").stat().st_mtime_ns
    assert wheels.environment(tmp_path / "wheels", tmp_path / "made") == python
    assert (tmp_path / "made" / "wheels.json").stat().st_mtime_ns == made
    (tmp_path / "wheels" / "broken-1.0-py3-none-any.whl").write_bytes(b"no archive")
    with pytest.raises(UserError, match="pip cannot install(?s:.*)broken"):
        wheels.environment(tmp_path / "wheels", tmp_path / "made")


@pytest.fixture
def packed(tmp_path):
    """A repository with an ignored file, and a folder of 2.5 MB, in pieces of at most 1 MB."""
    root, data = tmp_path / "root", tmp_path / "data"
    for folder in (root / "distill", data):
        folder.mkdir(parents=True)
    (root / "distill" / "a.py").write_text("x = 1\n")
    (root / "secret.env").write_text("key")
    (root / ".gitignore").write_text("*.env\n")
    subprocess.run(["git", "init", "-q", root], check=True)
    (data / "rows").write_bytes(os.urandom(2_500_000))
    return data, pack(root, {"data": data}, tmp_path / "pieces", most_mb=1)


def test_pieces_are_small_and_come_together_whole(packed, tmp_path):
    data, pieces = packed
    assert len(pieces) == 3 and all(path.stat().st_size <= 1_000_000 for path in pieces)
    assert unpack(tmp_path / "pieces", tmp_path / "out") == ["data", "repository"]
    assert (tmp_path / "out" / "data" / "rows").read_bytes() == (data / "rows").read_bytes()
    found = {path.name for path in (tmp_path / "out" / "repository").rglob("*") if path.is_file()}
    assert found == {"a.py", ".gitignore"}
    subprocess.run("mkdir plain && cat pieces/piece-* | tar xz -C plain", shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "plain" / "data" / "rows").stat().st_size == 2_500_000


def test_a_piece_that_is_changed_or_missing_is_named_and_nothing_is_opened(packed, tmp_path):
    _, pieces = packed
    whole = pieces[1].read_bytes()
    pieces[1].write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(UserError, match="changed(?s:.*)piece-001"):
        unpack(tmp_path / "pieces", tmp_path / "out")
    pieces[1].unlink()
    with pytest.raises(UserError, match="missing(?s:.*)piece-001"):
        unpack(tmp_path / "pieces", tmp_path / "out")
    (tmp_path / "pieces" / LIST).unlink()
    with pytest.raises(UserError, match="no pieces"):
        unpack(tmp_path / "pieces", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="other files"):
        pack(tmp_path / "root", {}, tmp_path)


def test_the_work_of_a_forward_pass_is_what_pytorch_counts():
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import BertConfig, BertForSequenceClassification

    from distill.models.first_token import first_token_only

    layers, width, rows, tokens = 3, 64, 4, 40
    shape = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 4 * width,
    }
    # The counter knows no fused attention of processors.
    config = BertConfig(vocab_size=50, **shape, attn_implementation="eager")
    model = BertForSequenceClassification(config).eval()
    assert first_token_only(model)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(rows, tokens, dtype=torch.long))
    assert forward_flops([tokens] * rows, layers, width) == pytest.approx(counter.get_total_flops(), rel=0.02)
