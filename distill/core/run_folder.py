"""Where everything of a run is: the names of its artifacts and of the files that people read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import Json, read_json, read_object

RECORDS, AUDIT, CHOICE, TWINS, SELECTION = "records", "audit", "choice", "twins", "selection"
VOCABULARIES = "vocabularies"
EVALUATION, LATENCY, PREDICTIONS = "evaluation", "latency", "predictions"
EVALUATION_FILE = "evaluation.json"  # in that artifact: every quality figure
STATE = "run.json"  # how far a run is
REPORT = "report.json"  # every figure of a run
PROJECT_FILE = "project_file"  # in its `config`: the way from the run folder to the project file
LAYERS = "layers.json"  # which layers a probe chose
HASHES = ".cache/sha256.json"  # of the files that steps read, and of what they made
ENCODED = ".cache/encoded"  # rows as token ids, for all fits of a run
LABEL_CARD = "CARD.md"  # of a label store, with measured times, so that it is no part of the artifact
SAMPLES, RESULT_FILE = "samples", "result.json"  # sheets for people by name, and what each said when it came back
SCALE_FILE = "scale.json"  # of `distill scale`: students on more and more rows of the pool
ANSWERS = ".cache/answers.sqlite"  # of servers, for all models of a run: each costs money once


def read_run(run: Path) -> Json:
    """What `run.json` says of a run: its resolved `config` and its `stages`.

    Raises: UserError for a folder that is no run, and for a file that no run wrote.
    """
    path = run / STATE
    if not path.exists():
        raise UserError("no run here", where=str(run), do="give the folder of a run, for example runs/demo")
    state = read_json(path)
    if not isinstance(state, dict) or not isinstance(state.get("config"), dict) or not _are_stages(state.get("stages")):
        do = "give the command that made the run again: finished steps are kept"
        raise UserError("not the state of a run", where=str(path), do=do)
    return state


def or_one_seed(run: Path, do: str) -> str:
    """What to do where a run lacks what is asked for: of several seeds, give the run of one; else `do`."""
    config = read_object(run / STATE).get("config")
    seeds = config.get("seeds") if isinstance(config, dict) else None
    return f"give the run of one seed: {run}/seed-{seeds[0]}, or another one's" if seeds else do


def require_made_by(project: Path, run: Path) -> None:
    """Check that no other project file, which is still there, has made a run or a study in it. Raises: UserError."""
    for other in _makers(run):
        if other.is_file() and other.resolve() != project.resolve():
            raise UserError(
                "another project has made this run",
                where=str(run),
                found=f"{other.resolve()}, and now {project}",
                do="name a folder for this one: --out FOLDER; --out with the folder above goes on there all the same",
            )


def _makers(run: Path) -> Iterator[Path]:
    """The project files that have made a run, the runs of its seeds, and the cells of studies below it."""
    below = (sorted(run.glob(f"{place}{STATE}")) for place in ("seed-*/", "*/*/", "*/*/seed-*/"))
    for state in (run / STATE, *chain.from_iterable(below)):
        config = read_object(state).get("config")
        way = config.get(PROJECT_FILE) if isinstance(config, dict) else None
        if isinstance(way, str):
            yield Path(os.path.realpath(state.parent), way)


def entry_now(model: Path) -> Json:
    """What the project says of a teacher, by the `run.json` of its run; empty for a folder that is in no run.

    It may say what the model's own files do not: settings that change no answer, and so are not part of the artifact.

    Args: model: a model folder. Raises: UserError for a `run.json` that no run wrote.
    """
    run = model.parent.parent
    if not (run / STATE).exists():
        return {}
    entries = read_run(run)["config"].get(model.parent.name)
    found = entries.get(model.name) if isinstance(entries, dict) else None
    return found if isinstance(found, dict) else {}


def _are_stages(stages: object) -> bool:
    keys = {"name", "status", "seconds"}
    return isinstance(stages, list) and all(isinstance(one, dict) and keys <= one.keys() for one in stages)


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run.

    Artifacts are named by their path below it, which is also how steps refer to them: `RunFolder.labels("base")` is the
    name, `run / RunFolder.labels("base")` the folder.
    """

    path: Path

    def __truediv__(self, artifact: str) -> Path:
        """The folder of an artifact."""
        return self.path / artifact

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def report(self) -> Path:
        """`report.json`: every figure of the run."""
        return self.path / REPORT

    @property
    def page(self) -> Path:
        """`report.html`: the page made from it."""
        return self.path / "report.html"

    @property
    def state(self) -> Path:
        """`run.json`: the resolved config and how far each step is."""
        return self.path / STATE

    @property
    def audit(self) -> Path:
        """`audit.json`: what was read and dropped, balance, leaks, lengths."""
        return self.path / AUDIT / "audit.json"

    @property
    def predictions(self) -> Path:
        """The folder of all models' predictions."""
        return self.path / PREDICTIONS

    def logs(self, artifact: str) -> Path:
        """Where the step that makes an artifact keeps its TensorBoard log: outside every artifact and its hashes."""
        return self.path / "logs" / artifact

    @staticmethod
    def checkpoint(model: str) -> str:
        """The untouched encoder of a teacher, or of a student with a start of its own."""
        return f"checkpoints/{model}"

    @staticmethod
    def trimmed(model: str) -> str:
        """What a model starts from, with a smaller vocabulary."""
        return f"trimmed/{model}"

    @staticmethod
    def probed(student: str) -> str:
        """The layers of its source that a student keeps, chosen by measuring."""
        return f"layers/{student}"

    @staticmethod
    def adapted(teacher: str) -> str:
        """A teacher's encoder after more pre-training, before it is fitted."""
        return f"adapted/{teacher}"

    @staticmethod
    def pairs(teacher: str) -> str:
        """The texts that it was pre-trained on."""
        return f"pairs/{teacher}"

    @staticmethod
    def folds(count: int) -> str:
        """The training rows dealt into so many folds."""
        return f"folds/{count}"

    @staticmethod
    def out_of_fold(model: str) -> str:
        """What the fits of a teacher's folds answer for the training rows that they were not fitted on."""
        return f"out_of_fold/{model}"

    @staticmethod
    def labels(model: str) -> str:
        """A model's soft labels."""
        return f"labels/{model}"

    @staticmethod
    def predicted(label: str) -> str:
        """A model's predictions, by its name in the report."""
        return f"{PREDICTIONS}/{label}"

    @staticmethod
    def exact_labels(model: str) -> str:
        """A model's logits in full precision, for itself to learn by."""
        return f"exact_labels/{model}"

    @staticmethod
    def refitted(model: str, target: str) -> str:
        """A model as the training of an export target's own leaves it."""
        return f"refitted/{model}/{target}"

    @staticmethod
    def export(model: str, target: str) -> str:
        """An exported file with its parity figures."""
        return f"export/{model}/{target}"

    @staticmethod
    def bundle(student: str) -> str:
        """What a student is handed to serving as."""
        return f"bundles/{student}"
