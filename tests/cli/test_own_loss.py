"""A loss term of the user's own: one class in a module of theirs, named by a preset of theirs."""

import json
import shutil

from tests.tiny_run import distill

TERM = """
from typing import ClassVar

from torch.nn import functional

from distill.training.losses.term import Term


class FirstTokenMse(Term):
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "hidden_states"})

    def __call__(self, student, teacher, batch):
        ours, theirs = (outputs.hidden_states[-1][:, 0] for outputs in (student, teacher))
        return functional.mse_loss(ours, theirs, reduction="none").mean(-1).sum()
"""
PRESET = """# One layer that is pulled towards its teacher's states.
layers: 1
keep: first
losses:
  soft_cross_entropy: {temperature: 3}
  gold: {weight: 0.5}
  our_terms:FirstTokenMse: {weight: 0.1}
training: {max_steps: 12, precision: fp32}
"""


def test_a_run_trains_a_student_with_it(planted, taught, tmp_path):
    project, run = shutil.copytree(planted.parent, tmp_path / "project") / planted.name, tmp_path / "run"
    shutil.copytree(taught[0], run)
    (project.parent / "presets" / "students").mkdir(parents=True)
    (project.parent / "presets" / "students" / "pulled.yaml").write_text(PRESET, encoding="utf-8")
    (project.parent / "our_terms.py").write_text(TERM, encoding="utf-8")
    command = ("train", f"--config={project}", f"--out={run}", "--student=pulled")
    refused = distill(*command)
    assert refused.returncode == 2 and "cannot import 'our_terms'" in refused.stderr, refused.stderr
    assert "pulled.yaml" in refused.stderr and "PYTHONPATH" in refused.stderr
    done = distill(*command, PYTHONPATH=str(project.parent))
    assert done.returncode == 0, done.stdout + done.stderr
    history = json.loads((run / "students" / "pulled" / "training_history.json").read_text())
    assert history["steps"] == 12
    losses = json.loads((run / "run.json").read_text())["config"]["students"]["pulled"]["losses"]
    assert losses == {
        "our_terms:FirstTokenMse": {"weight": 0.1, "sources": {}},
        "soft_cross_entropy": {"temperature": 3, "weight": 1, "sources": {}},
        "gold": {"weight": 0.5, "sources": {}},
    }
    listed = distill("presets", f"--config={project}").stdout
    assert "One layer that is pulled towards its teacher's states. (of this project)" in listed
    assert listed.count("(of this project)") == 1
