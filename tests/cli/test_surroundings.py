"""A terminal, a disk or an operator that is not as one hopes: a named error or a result, never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "distill"]
_WAIT_SECONDS = 120


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `line` with `$DISTILL` in it by bash, which knows redirections."""
    env = {**os.environ, "DISTILL": " ".join(COMMAND), **environment}
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=env, check=False)


def test_a_width_of_zero_is_no_width():
    assert shell("$DISTILL presets", COLUMNS="0").stdout == shell("$DISTILL presets").stdout != ""


def test_closed_output_is_no_error():
    assert (done := shell("$DISTILL presets >&-")).returncode == 0, done.stderr


@pytest.mark.parametrize("verb", ["presets", "--help"])
def test_a_full_disk_behind_the_output_is_named(verb):
    done = shell(f"$DISTILL {verb} > /dev/full")
    assert done.returncode == 2 and "No space left" in done.stderr and "standard output" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_a_reader_that_leaves_ends_the_command_quietly():
    done = shell("$DISTILL presets --json | true; echo ${PIPESTATUS[0]}")
    assert done.stderr == "" and done.stdout in ("0\n", "1\n")


def test_what_the_terminal_cannot_show_is_escaped(tmp_path):
    done = shell("$DISTILL report каталог", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 2 and r"\u043a" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_in_a_step_is_said_and_recorded(tiny, tmp_path, number):
    command = [*COMMAND, "audit", *tiny(tmp_path / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts) as process:
        wait_for_a_step(tmp_path / "run" / "run.json", process)
        process.send_signal(number)
        message = process.communicate()[1]
    assert process.returncode == 130 and "interrupted" in message and "Traceback" not in message
    assert json.loads((tmp_path / "run" / "run.json").read_text())["stages"][-1]["status"] == "interrupted"


def heed_interrupts():
    """A shell lets what it starts in the background ignore Ctrl-C, and so would whatever these tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_a_step(record, process):
    limit = time.monotonic() + _WAIT_SECONDS
    while not record.exists() or json.loads(record.read_text())["stages"][-1]["status"] != "running":
        assert process.poll() is None and time.monotonic() < limit
        time.sleep(0.002)


INTERRUPTED_IMPORT = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from distill.__main__ import main
main()
"""


def test_an_interrupt_while_the_program_loads_is_said_too():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 130 and done.stderr.startswith("interrupted") and "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["/dev/null", "pipe", "folder"])
def test_answers_go_to_a_file_or_nowhere(run, project, tmp_path, target):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    out = tmp_path / target  # an absolute name stays what it is
    kind = os.stat(out).st_mode
    bundle, records = run / "bundles" / "3L_trunc", project / "test.jsonl"
    done = subprocess.run(
        [*COMMAND, "predict", bundle, records, "--out", out], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "not a regular file" in done.stderr and os.stat(out).st_mode == kind


def test_answers_of_two_files_are_two_files(run, project, tmp_path):
    first = next(path for path in project.rglob("*.jsonl"))
    for name in ("a.2024.jsonl", "a.2025.jsonl"):
        (tmp_path / name).write_bytes(first.read_bytes())
        done = subprocess.run([*COMMAND, "predict", run / "bundles" / "3L_trunc", tmp_path / name], check=False)
        assert done.returncode == 0
    assert {path.name for path in tmp_path.glob("*.answers.jsonl")} == {"a.2024.answers.jsonl", "a.2025.answers.jsonl"}


OUT_OF_MEMORY = """
import sys
import distill.cli.app as app
from distill.__main__ import main

def fail():
    raise {error}

app.app = fail
main()
"""


@pytest.mark.parametrize(
    "error",
    [
        "MemoryError()",
        "RuntimeError('CUDA out of memory. Tried to allocate 2 GiB')",
        "Exception('RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 14400')",
        "RuntimeError('a bug')",
        "Exception('a bug')",
    ],
)
def test_too_little_memory_is_named_and_a_bug_is_none(error):
    script = [sys.executable, "-c", OUT_OF_MEMORY.format(error=error)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    if "a bug" in error:
        assert done.returncode == 1 and "Traceback" in done.stderr
    else:
        assert done.returncode == 2 and "error: out of memory" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("line", ["audit --config $'in\\x80.yaml'", "init $'in\\x80.jsonl'", "report $'in\\x80'"])
def test_a_path_that_is_not_utf8_is_named(line):
    done = shell(f"$DISTILL {line}")
    assert done.returncode == 2 and "not UTF-8" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("config", ["/dev/null", "/tmp/.", "pipe"])
def test_a_config_that_is_no_file_is_named_for_what_it_is(config, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = shell(f"$DISTILL audit --config {tmp_path / config}")
    assert done.returncode == 2 and "where a file is needed" in done.stderr and "Traceback" not in done.stderr


def test_a_report_that_cannot_write_its_page_prints_its_tables(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "report.html").unlink()
    (copy / "report.html").mkdir()  # whatever the rights of who runs this test
    done = shell(f"$DISTILL report {copy}")
    assert done.returncode == 0 and "3L_trunc@card" in done.stdout and "the page stays as it was" in done.stdout
