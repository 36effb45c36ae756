"""The quality benchmark's command, with a stand-in for distill that notes how it was called."""

import json

import pytest

from benchmarks import quality
from distill.core.files import read_json, write_json
from distill.core.sealed import write_sealed
from tests.benchmarks.quality_reports import new_report, old_report
from tests.benchmarks.raw_sets import write_news
from tests.training.toy import CARD, LABELS, toy_encoder, write_toy

STAND_IN = """
import json, pathlib, shutil, sys
here = pathlib.Path(__file__).resolve().parent.parent
run = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
shutil.copytree(here / "made", run, dirs_exist_ok=True)
if sys.argv[1] == "evaluate":
    print("error: the end of the log")
    sys.exit(json.loads((here / "exit.json").read_text()))
"""


@pytest.fixture
def bench(tmp_path):
    """Raw news, an encoder and a distill that copies a prepared run; returns the command with further options."""
    write_news(tmp_path / "data")
    toy_encoder(tmp_path / "encoder")
    made, root = tmp_path / "root" / "made", tmp_path / "root"
    write_toy(made / "records")
    config = {"task": {"labels": list(LABELS)}, "views": {"card": CARD.model_dump(mode="json")}, "threads": 1}
    write_json(made / "run.json", {"config": config})
    write_sealed(made / "report.json", new_report())
    write_json(root / "exit.json", 0)
    (root / "distill").mkdir()
    (root / "distill" / "__init__.py").touch()
    (root / "distill" / "__main__.py").write_text(STAND_IN, encoding="utf-8")
    places = {"data": "data", "encoder": "encoder", "work": "work", "results": "results", "distill-root": "root"}
    options = [part for flag, name in places.items() for part in (f"--{flag}", str(tmp_path / name))]
    return lambda *more: quality.main(["bbc_news", *options, *more])


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_nothing_is_set_but_paths_and_a_failed_gate_is_a_result(bench, tmp_path, capsys):
    write_json(tmp_path / "root" / "exit.json", 3)
    assert bench("--no-grid", "--student", "2L", "--student", "bbc_news=3L", "--student", "clinc150=4L") == 0
    audit, evaluate = map(json.loads, (tmp_path / "root" / "calls.jsonl").read_text().splitlines())
    assert (audit[0], evaluate[0]) == ("audit", "evaluate") and audit[1:] == evaluate[1:]
    sets = [evaluate[index + 1] for index, word in enumerate(evaluate) if word == "--set"]
    assert sets == [f"data.root={tmp_path / 'work' / 'bbc_news' / 'data'}", "export=[]"]
    assert evaluate[evaluate.index("--student") + 1 :] == ["3L"]
    (found,) = read_json(tmp_path / "results" / "quality.json")["sets"]
    assert found["exit"] == 3 and found["error"] == "the end of the log" and found["grid"] == []
    assert "bbc_news" in last_line(capsys)["ratios"]


def test_an_error_of_a_run_is_told_and_the_result_written(bench, tmp_path, capsys):
    write_json(tmp_path / "root" / "exit.json", 2)
    assert bench("--no-grid") == 1
    assert "evaluate: exit 2" in capsys.readouterr().out and (tmp_path / "results" / "quality.json").exists()


@pytest.mark.slow
def test_the_grid_goes_on_where_it_ended(bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(quality, "RATES", (3e-3,))
    monkeypatch.setattr(quality, "EPOCHS", (1, 2))
    assert bench("--jobs", "2") == 0
    (found,) = read_json(tmp_path / "results" / "quality.json")["sets"]
    assert [(row["epochs"], row["steps"]) for row in found["grid"]] == [(1, 2), (2, 4)]
    assert last_line(capsys)["ratios"]["bbc_news"]["steps_to_grid"] >= 60
    first, second = sorted((tmp_path / "work" / "bbc_news" / "grid").iterdir())
    kept = first.stat().st_mtime_ns
    second.unlink()
    assert bench() == 0 and second.is_file() and first.stat().st_mtime_ns == kept


def test_an_earlier_result_lies_beside_the_new_one(bench, tmp_path):
    write_sealed(tmp_path / "root" / "made" / "report.json", old_report())
    assert bench("--no-grid", "--name", "before") == 0
    write_sealed(tmp_path / "root" / "made" / "report.json", new_report())
    assert bench("--no-grid", "--baseline", str(tmp_path / "results" / "before.json")) == 0
    document = read_json(tmp_path / "results" / "quality.json")
    assert document["before"] == read_json(tmp_path / "results" / "before.json")["sets"]
    assert document["before"] != document["sets"]


def test_without_running_what_lies_there_is_summarised(bench, tmp_path):
    assert bench("--no-run") == 0 and not (tmp_path / "root" / "calls.jsonl").exists()
    (found,) = read_json(tmp_path / "results" / "quality.json")["sets"]
    assert found["exit"] is None and found["students"] == []


def test_a_set_takes_its_place_in_a_result_of_several(bench, tmp_path):
    assert bench("--no-grid", "--title", "Two sets") == 0
    target = tmp_path / "results" / "quality.json"
    stored = read_json(target)
    (news,) = stored["sets"]
    row = {"rate": 3e-5, "steps": 10, "valid": {"f1_macro": 0.5}, "test": {"f1_macro": 0.4}}
    others = [{**news, "name": name, "grid": [row], "exit": None} for name in ("clinc150", "bbc_news")]
    write_json(target, {**stored, "sets": others, "before": [news], "command": "the command of all"})
    assert bench("--no-grid", "--add") == 0
    document = read_json(target)
    assert document["sets"][0] == others[0] and document["sets"][1]["exit"] == 0
    assert document["sets"][1]["grid"] == [row] and document["sets"][1]["grid_best"]["valid"] == row
    kept = [document[key] for key in ("title", "command", "before")]
    assert kept == ["Two sets", "the command of all", [news]]


def test_each_set_may_have_an_encoder_of_its_own(bench, tmp_path):
    toy_encoder(tmp_path / "other")
    more = ["--encoder", f"bbc_news={tmp_path / 'other'}", "--encoder", f"clinc150={tmp_path / 'gone'}"]
    assert bench("--no-grid", *more) == 0
    call = json.loads((tmp_path / "root" / "calls.jsonl").read_text().splitlines()[0])
    assert call[call.index("--checkpoint") + 1] == str(tmp_path / "other")


def test_mistakes_end_with_2(bench, tmp_path, capsys):
    assert quality.main(["bbc_new", "--data", str(tmp_path), "--encoder", str(tmp_path)]) == 2
    assert "did you mean 'bbc_news'" in capsys.readouterr().err
    assert bench("--encoder", str(tmp_path / "gone")) == 2
    assert "--encoder FOLDER" in capsys.readouterr().err
    assert bench("--no-run", "--add") == 2
    assert "quality.json" in capsys.readouterr().err
