"""What users get wrong: each ends with 2 or 3, one clear message, no traceback, and earlier artifacts intact."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distill.core.manifest import require_whole
from tests.tiny_run import distill


@pytest.fixture
def copied(project: Path, tmp_path: Path) -> Path:
    """A copy of the project to spoil."""
    return Path(shutil.copytree(project, tmp_path / "project"))


def rejected(done: subprocess.CompletedProcess[str], *parts: str, code: int = 2) -> None:
    """The command ended with `code` and one message that holds every part."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error:") == 1
    for part in parts:
        assert part in done.stderr, done.stderr


def audit(folder: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return distill("audit", "--config", folder / "project.yaml", "--out", folder / "run", *more)


def rewrite(path: Path, change) -> None:
    """Replace a JSONL file's rows by `change(row)`; None drops a row."""
    rows = [row for row in map(_parsed, path.read_text(encoding="utf-8").splitlines()) if row]
    changed = [row for row in map(change, rows) if row is not None]
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in changed) + "\n", encoding="utf-8")


def _parsed(line: str):
    try:
        return json.loads(line)
    except ValueError:
        return None


def test_unknown_student_names_the_nearest():
    rejected(distill("--student", "8L_trnc"), "8L_trnc", "did you mean '8L_trunc'")


def test_unknown_keys_are_listed_together(copied):
    done = audit(copied, "--set=data.trian=x", "--set=views.card.max_token=3", "--set=gates.leak=-1")
    rejected(done, "data.trian", "did you mean 'train'", "views.card.max_token", "gates.leak", "3 problems")


def test_unknown_key_in_a_student(copied):
    done = audit(copied, "--set=students.8L_trunc.temprature=2")
    rejected(done, "students.8L_trunc.temprature", "did you mean 'temperature'")


def test_missing_column(copied):
    rejected(audit(copied, "--set=data.label=lable"), "lable", "label", "train.jsonl")


def test_empty_file(copied):
    (copied / "train.jsonl").write_text("")
    rejected(audit(copied), "empty", "train.jsonl")


def test_one_class_only(copied):
    rewrite(copied / "train.jsonl", lambda row: row if row["label"] == "about_pr" else None)
    rejected(audit(copied), "about_pr", "same label", "data.train")


def test_label_in_test_that_train_lacks(copied):
    rewrite(copied / "train.jsonl", lambda row: row if row["label"] != "ment_pr" else None)
    rejected(audit(copied), "ment_pr")


def test_cp1251_file_is_named_with_the_fix(copied):
    path = copied / "train.jsonl"
    rows = [row for row in map(_parsed, path.read_text(encoding="utf-8").splitlines()) if row]
    for row in rows:
        row["page"]["title"] = "Дрель аккумуляторная, обзор"
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(text.encode("cp1251", errors="ignore"))
    rejected(audit(copied), "cp1251", "train.jsonl")


def test_two_megabytes_of_text_pass_through(copied):
    rewrite(copied / "valid.jsonl", lambda row: {**row, "page": {**row["page"], "body": "слово word " * 200_000}})
    lines = (copied / "valid.jsonl").read_text(encoding="utf-8").splitlines()
    (copied / "valid.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    done = audit(copied, "--set=data.junk.repeated=0", "--set=data.junk.max_chars=5000000")
    assert done.returncode == 0, done.stderr


def test_empty_pool(copied):
    (copied / "pool.jsonl").write_text('{"id": "x", "product": {"title": ""}, "page": {"title": ""}}\n')
    rejected(audit(copied), "pool")


def test_output_folder_under_a_file(copied):
    (copied / "taken").write_text("a file")
    done = distill("audit", "--config", copied / "project.yaml", "--out", copied / "taken" / "run")
    rejected(done, "taken", "--out")


def test_full_disk_keeps_what_is_finished(tiny, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        done = distill("teach", *tiny(disk / "run"))
        rejected(done, "No space left", "free space")
        require_whole(disk / "run" / "records")
    finally:
        subprocess.run(["umount", disk], check=True)


def test_hub_id_without_network(copied):
    done = distill(
        "teach", "--config", copied / "project.yaml", "--out", copied / "run", "--checkpoint", "someone/some-encoder"
    )
    rejected(done, "someone/some-encoder", "network")


def test_checkpoint_folder_that_does_not_exist(copied):
    done = distill("teach", "--config", copied / "project.yaml", "--out", copied / "run", "--checkpoint", "./nowhere/x")
    rejected(done, "nowhere")


def test_corrupt_shard_stops_before_training(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    shard = copy / "labels" / "base" / "shard-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(data)
    done = distill("train", *tiny(copy), "--set=students.3L_trunc.temperature=5")
    rejected(done, "shard-00001.parquet", "labels")
    require_whole(copy / "students" / "3L_trunc")


def test_two_runs_on_one_folder(copied):
    run = copied / "run"
    script = "import sys,time; from pathlib import Path; from distill.core.lock import run_lock\n"
    script += "with run_lock(Path(sys.argv[1])):\n print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", script, str(run)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        rejected(audit(copied), "another command", str(holder.pid))
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert audit(copied).returncode == 0


def test_pool_row_that_stands_in_test_is_dropped_and_a_train_row_stops_the_run(copied):
    first = (copied / "test.jsonl").read_text(encoding="utf-8").splitlines()[0]
    with (copied / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({**json.loads(first), "id": "leaked"}, ensure_ascii=False) + "\n")
    rejected(audit(copied), "leak", "data.on_leak: drop_train", json.loads(first)["id"], code=3)
    assert (copied / "run" / "report.html").exists()
    done = audit(copied, "--set=data.on_leak=drop_train")
    assert done.returncode == 0 and "in_test" in done.stdout


def test_student_deeper_than_its_teacher(run, tiny, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    rejected(distill("train", *tiny(copy), "--set=students.3L_trunc.layers=5"), "5 of 4")
    require_whole(copy / "teachers" / "base")


def test_a_learning_rate_that_collapses_is_named(tiny, tmp_path):
    done = distill("teach", *tiny(tmp_path / "run"), "--set=teachers.base.training.learning_rate=1.0")
    rejected(done, "learning rate", "lower", code=3)
    assert not (tmp_path / "run" / "teachers" / "base").exists()


def test_help_and_presets_need_no_project():
    assert distill("--help").returncode == 0
    assert "8L_trunc" in distill("presets").stdout


def test_a_config_name_that_is_nearly_an_embedded_project(tmp_path):
    rejected(distill("audit", "--config=demo-ful", f"--out={tmp_path / 'run'}"), "'demo-full'", "base-check")
    assert not (tmp_path / "run").exists()


def test_pretraining_names_a_wrong_view_before_it_reads_anything(project, tmp_path):
    config = f"--config={project / 'project.yaml'}"
    done = distill("pretrain", config, f"--out={tmp_path / 'run'}", "--set=pretrain.view=dokument")
    rejected(done, "pretrain.view", "did you mean 'document'?")
    assert "audit" not in done.stdout and not (tmp_path / "run" / "records").exists()
