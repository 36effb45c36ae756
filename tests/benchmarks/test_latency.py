import json
import shutil

import pytest
from pyarrow import parquet

from benchmarks import bench, latency
from benchmarks.config import BenchConfig
from benchmarks.layouts import BATCHES
from benchmarks.subjects import find, reference
from distill.core.errors import UserError
from distill.core.files import read_json, write_json
from distill.core.record_store import write_records
from distill.core.records import Record
from export.config import load_target


class Machine:
    """Stands in for processes: each subject takes its own time, and every later process twice as long."""

    def __init__(self):
        self.ran = []

    def __call__(self, subject, rows, config, threads, more=None):
        self.ran.append((subject.name, [row["id"] for row in rows], threads))
        slow = {"pytorch": 60}.get(subject.runtime, 10) * 2 ** len(self.ran)
        sample = {"total_ns": [slow] * len(rows), "tokenise_ns": [1] * len(rows)}
        batches = {str(batch): sample for batch in config.batch}
        return {"batches": batches, "tokens": [5] * len(rows), "layouts": {BATCHES: 1.0}}


@pytest.fixture
def machine(monkeypatch):
    fake = Machine()
    monkeypatch.setattr(bench, "run_process", fake)
    return fake


@pytest.fixture
def run(tmp_path, model_folder):
    """A finished run: a document teacher, a student and its int8 artifact, and ten test records."""
    folder = tmp_path / "run"
    for name in ("teachers/base", "students/3L"):
        shutil.copytree(model_folder, folder / name)
    stored = read_json(folder / "teachers/base/view.json")
    write_json(folder / "teachers/base/view.json", {**stored, "name": "document"})
    for target in ("onnx", "onnx-int8"):
        (folder / "export" / "3L" / target).mkdir(parents=True)
        (folder / "export" / "3L" / target / "model.onnx").touch()
    records = [Record(f"r{number}", {"id": f"r{number}", "page.title": "Обзор"}) for number in range(10)]
    write_records(folder / "records" / "test.unseen.parquet", records)
    settings = {"requests": 4, "processes": 2, "minutes": 0, "int8_teachers": False, "openvino": False}
    exports = {name: load_target(name).as_json() for name in ("onnx", "onnx-int8")}
    entries = {"teachers": {"base": {}}, "students": {"3L": {}}, "export": exports}
    write_json(folder / "run.json", {"config": {"threads": 3, "bench": settings, **entries}, "stages": []})
    return folder


def entered(run, kind, entries):
    """The run with these entries of a kind in its config."""
    stored = read_json(run / "run.json")
    write_json(run / "run.json", {**stored, "config": {**stored["config"], kind: entries}})


def test_processes_visit_every_subject_before_the_next_round(machine, subject):
    teacher = subject("base@document", "document", "pytorch", "fp32", "teacher")
    subjects = [teacher, subject("8L@card"), subject("6L@card")]
    rows = [{"id": number} for number in range(30)]
    done = []
    result = latency.measure(
        subjects,
        {"document": rows, "card": rows},
        BenchConfig(requests=7, processes=3, minutes=0),
        2,
        on_progress=lambda *step: done.append(step),
    )
    assert [name for name, _, _ in machine.ran] == ["base@document", "8L@card", "6L@card"] * 3
    assert len({tuple(requests) for _, requests, _ in machine.ran}) == 1
    assert done[0] == (0, 9, "base@document") and done[-2:] == [(8, 9, "6L@card"), (9, 9, "")]
    # Drift that doubles with every process is no speed-up, and makes the interval wide.
    student = result["rows"][1]
    assert student["speedup_vs_teacher"] == pytest.approx(3) and student["speedup_low"] < 1 < student["speedup_high"]


def test_without_single_requests_there_are_rows_and_no_ratio(machine, subject):
    """Whether the minutes decide when sampling ends, by ratios that nobody asked for, or not."""
    subjects, rows = (
        [subject("base@document", "document", "pytorch", "fp32", "teacher"), subject("8L@card")],
        [{"id": 1}],
    )
    for minutes in (5, 0):
        config = BenchConfig(batch=[8], minutes=minutes)
        result = latency.measure(subjects, {"document": rows, "card": rows}, config, 1)
        found = [(row["model"], row["batch"], row["processes"], row["speedup_vs_teacher"]) for row in result["rows"]]
        assert found == [("base@document", 8, 3, None), ("8L@card", 8, 3, None)] and result["factors"] == []


def test_the_result_says_how_it_was_measured(machine, subject):
    subjects, rows = [subject("8L@card")], [{"id": number} for number in range(5)]
    result = latency.measure(subjects, {"card": rows}, BenchConfig(requests=9, threads=1, minutes=0), 2)
    assert json.loads(json.dumps(result)) == result
    assert set(result) == {"rows", "factors", "settings", "environment"}
    assert result["settings"]["distinct_requests"] == 5 and result["settings"]["threads"] == 1
    assert "left_out" not in result["settings"]
    assert machine.ran[0][2] == result["rows"][0]["threads"] == 1


def test_two_subjects_of_one_name_are_refused(machine, subject):
    with pytest.raises(ValueError, match="one name"):
        latency.measure([subject("8L@card"), subject("8L@card")], {"card": [{}]}, BenchConfig(), 1)


def test_a_failed_process_leaves_no_result(monkeypatch, subject):
    def fail(*_):
        raise UserError("ended without a result")

    monkeypatch.setattr(bench, "run_process", fail)
    with pytest.raises(UserError, match="without a result"):
        latency.measure([subject("8L@card")], {"card": [{}]}, BenchConfig(), 1)


def test_the_command_measures_a_run_and_ends_with_ratios(machine, run, capsys):
    assert latency.main([str(run), "--set", "processes=1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    final = json.loads(lines[-1])
    assert set(final["ratios"]) == {"base@document", "3L@card", "3L@card.onnx", "3L@card.onnx-int8"}
    assert [row["precision"] for row in final["rows"]] == ["fp32", "fp32", "fp32", "int8"]
    assert [(len(requests), threads) for _, requests, threads in machine.ran] == [(4, 3)] * 4
    assert max(map(len, lines[:-1])) <= 80 and any("base@document" in line for line in lines[:-1])
    assert any("depth" in line.lower() for line in lines[:-1])


def test_every_family_is_measured_by_the_command_and_what_cannot_be_is_named_with_the_reason(machine, run, capsys):
    """Words and an ensemble of a run are subjects; a model without a view, or of a lost family, is no crash."""
    shutil.copytree(run / "teachers/base", run / "teachers/words")
    write_json(run / "teachers/words/config.json", {"distill": {"family": "tfidf"}})
    entered(run, "teachers", dict.fromkeys(("base", "words", "both", "bare", "lost"), {}))
    for name, own in (
        ("both", {"family": "ensemble", "view": "document", "members": {}}),
        ("bare", {"family": "ensemble"}),
        ("lost", {"family": "somewhere:Else", "view": "card"}),
    ):
        write_json(run / "teachers" / name / "config.json", {"distill": own})
    out = run / "again.json"
    assert latency.main([str(run), "--set", "processes=1", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    final = json.loads(printed.out.splitlines()[-1])
    runtimes = {row["model"]: (row["runtime"], row["precision"]) for row in final["rows"] if "3L" not in row["model"]}
    assert runtimes == {
        "base@document": ("pytorch", "fp32"),
        "both@document": ("ensemble", "fp32"),
        "words@document": ("scikit-learn", "fp64"),
    }
    left_out = json.loads(out.read_text())["settings"]["left_out"]
    assert set(left_out) == {"bare", "lost"} and "which view it reads" in left_out["bare"]
    told = " ".join(printed.out.split())
    assert all(f"Not timed: {name}, {reason}" in told for name, reason in left_out.items())


def test_the_subjects_are_the_run_s_own_in_its_order(run, tmp_path):
    """The reference is the project's first teacher; twins, other people's presets and what a run tried are no trap."""
    for name in ("teachers/a", "teachers/base@card", "students/3L-gold"):
        shutil.copytree(run / "teachers/base", run / name)
    stored = read_json(run / "teachers/base@card/view.json")
    write_json(run / "teachers/base@card/view.json", {**stored, "name": "card"})
    (run / "export/3L/onnx").rename(run / "export/3L/mine")
    entered(run, "teachers", {"base": {}, "a": {}})
    entered(run, "export", {"onnx-int8": load_target("onnx-int8").as_json()})
    subjects, left_out = find(run)
    names = ["base@document", "a@document", "base@card", "3L@card", "3L@card.onnx-int8"]
    assert [one.name for one in subjects] == names and reference(subjects).name == "base@document"
    assert "unknown export preset" in left_out["3L@card.mine"]

    mine = load_target("onnx", {"name": "mine"}).as_json()
    entered(run, "export", {"mine": mine, "onnx-int8": load_target("onnx-int8").as_json()})
    assert [one.name for one in find(run)[0]] == [*names[:4], "3L@card.mine", names[4]]

    entered(run, "export", {})
    (tmp_path / "presets/export").mkdir(parents=True)
    (tmp_path / "presets/export/mine.yaml").write_text("target: onnx_fp32\n")
    stored = read_json(run / "run.json")
    write_json(run / "run.json", {**stored, "config": {**stored["config"], "project_file": "../project.yaml"}})
    assert {"3L@card.mine", "3L@card.onnx-int8"} <= {one.name for one in find(run)[0]}

    timed = [{"model": name} for name in ("base@document", "3L@card.mine")]
    write_json(run / "latency/latency.json", {"rows": timed, "settings": {"left_out": {"base@card": "why"}}})
    subjects, left_out = find(run)
    assert [one.name for one in subjects] == ["base@document", "base@card", "3L@card", "3L@card.mine"]
    assert left_out == dict.fromkeys(("a@document", "3L@card.onnx-int8"), "the run did not time it")


def test_an_option_goes_before_the_settings_of_the_run(machine, run, capsys):
    assert latency.main([str(run), "--threads", "1", "--set", "threads=2"]) == 0
    assert {threads for _, _, threads in machine.ran} == {1}


def test_a_model_is_measured_against_itself(machine, run, capsys):
    assert latency.main([str(run), "--aa"]) == 0
    final = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(final["ratios"]) == {"base@document", "base@document again"}
    again = final["ratios"]["base@document again"]
    assert again["speedup_low"] < 1 < again["speedup_high"]


def test_requests_are_kept_where_a_file_is_named(run, tmp_path, monkeypatch):
    def process(subject, rows, config, threads, more):
        sample = {"total_ns": [10**6] * len(rows), "tokenise_ns": [1] * len(rows)}
        return {"batches": {"1": sample}, "tokens": [5], "layouts": {BATCHES: 1.0}, "logits": [[0.5, 1.0]] * len(rows)}

    monkeypatch.setattr(bench, "run_process", process)
    assert latency.main([str(run), "--records", str(tmp_path / "kept.parquet")]) == 0
    kept = parquet.read_table(tmp_path / "kept.parquet").to_pylist()
    assert len(kept) == 4 * 2 * 4 and {row["id"] for row in kept} <= {f"r{number}" for number in range(10)}


def test_a_provider_that_is_absent_exits_with_2_and_what_to_install(machine, run, capsys, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert latency.main([str(run), "--provider", "cuda"]) == 2
    assert "install onnxruntime-gpu" in capsys.readouterr().err and machine.ran == []
    assert latency.main([str(run), "--provider", "cpu", "--set", "processes=1"]) == 0


@pytest.mark.parametrize("lost", ["teachers", "records/test.unseen.parquet"])
def test_a_folder_that_is_no_finished_run_exits_with_2(run, lost, capsys):
    path = run / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert latency.main([str(run)]) == 2
    assert str(run) in capsys.readouterr().err


def test_of_a_run_of_several_seeds_that_of_one_is_named(tmp_path, capsys):
    write_json(tmp_path / "run" / "run.json", {"config": {"seeds": [4, 5]}, "stages": []})
    assert latency.main([str(tmp_path / "run")]) == 2
    assert f"give the run of one seed: {tmp_path}/run/seed-4" in capsys.readouterr().err


def test_an_empty_folder_and_an_unknown_setting_exit_with_2(tmp_path, run, capsys):
    (tmp_path / "empty").mkdir()
    assert latency.main([str(tmp_path / "empty")]) == 2
    assert latency.main([str(run), "--set", "request=5"]) == 2
    assert "did you mean 'requests'" in capsys.readouterr().err
