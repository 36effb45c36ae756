"""A process that is killed while it asks loses what was under way, and nothing that was answered."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.http_server import serving
from tests.inference.language_model.asking import TABLE, model, texts

ROOT = Path(__file__).resolve().parents[3]
CODE = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tests.inference.language_model.asking import model, texts
model(SimpleNamespace(url=sys.argv[1]), Path(sys.argv[2]), parallel=4).answer(texts(*["ремонт"] * 60))
"""


def test_no_text_that_was_answered_is_asked_again_after_kill_9(tmp_path):
    path = tmp_path / "answers.sqlite"
    with serving(TABLE, think_s=0.02) as server:
        process = subprocess.Popen([sys.executable, "-P", "-c", CODE, server.url, str(path)], cwd=ROOT, env=_env())
        limit = time.monotonic() + 60
        while len(server.asked) < 20 and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed = len(server.asked)
        server.think_s = 0.0
        found = model(server, path).answer(texts(*["ремонт"] * 60))
    assert 20 <= killed < 60 and found.status == ["ok"] * 60
    twice = [prompt for prompt, times in Counter(server.prompts).items() if times > 1]
    assert len(twice) <= 4 and len(server.asked) == 60 + len(twice)


def _env():
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
