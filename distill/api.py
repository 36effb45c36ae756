"""The toolkit without its command line: a whole run as one call, and its steps one by one.

`run` is what `distill` does. Each step fills a folder that it is given and resumes from what it finds there.
`distill.core.steps.Steps` adds fingerprints, manifests and skipping to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.core.files import Json
from distill.core.intake.audit import audit
from distill.core.intake.prepare import prepare
from distill.core.progress import Reporter
from distill.families.family import Lesson
from distill.inference.predict import predict
from distill.training.joining import Share
from export.artifact import Artifact, Contents
from export.build import export_target as export
from export.bundle import bundle
from export.evidence import Evidence, Sample
from students.train import train, train_twin
from teachers.label import label
from teachers.teach import teach

__all__ = [
    "Artifact",
    "Contents",
    "Evidence",
    "Lesson",
    "Sample",
    "Share",
    "audit",
    "bundle",
    "export",
    "label",
    "predict",
    "prepare",
    "run",
    "teach",
    "train",
    "train_twin",
]


def run(
    project: Path,
    out: Path,
    *,
    until: str = "report",
    sets: Sequence[str] = (),
    reporter: Reporter | None = None,
) -> Json:
    """Make a run up to a verb; returns the content of report.json.

    Args: project: the project file. out: the run folder. until: `audit`, `teach`, `label`, `select`, `train`,
        `evaluate`, `export`, `bench`, `bundle` or `report`. sets: `a.b=c` for any field of the project file.
        reporter: shown the progress; silent by default.
    Raises: UserError for what the project file says and for an unknown verb, GateFailed after the report is written
        when a gate failed.
    """
    from distill.pipeline.seeds import execute_run
    from distill.pipeline.settings import resolve_settings

    found = execute_run(resolve_settings(project, out, sets=sets, until=until), reporter or Reporter(), until)
    assert found is not None, "a run is called in one process"
    return found
