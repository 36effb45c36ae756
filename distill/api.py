"""The steps as functions, for use without the command line: each fills a folder that it is given.

Bodies resume from what they find in their folder; `distill.core.steps.Steps` adds fingerprints, manifests and skipping.
"""

from __future__ import annotations

from distill.core.intake.audit import audit
from distill.core.intake.prepare import prepare
from distill.inference.predict import predict
from distill.training.joining import Share
from export.artifact import Artifact, Contents
from export.build import export_target as export
from export.bundle import bundle
from students.train import Lesson, train, train_twin
from teachers.label import label
from teachers.teach import teach

__all__ = [
    "Artifact",
    "Contents",
    "Lesson",
    "Share",
    "audit",
    "bundle",
    "export",
    "label",
    "predict",
    "teach",
    "train",
    "train_twin",
]
