"""What can be known to fail later, checked before anything is trained."""

from __future__ import annotations

from distill.core.errors import UserError, unknown_name
from distill.core.model_folder import layer_count
from distill.core.predictions import cluster_of
from distill.core.record_store import iter_records, read_records
from distill.evaluation.statistics import require_clusters
from distill.pipeline.experiment import RECORDS, Experiment
from distill.pipeline.settings import Settings
from teachers.embedded import local_folder


def require_students(settings: Settings, until: str) -> None:
    """Nothing where the verb `until` finds students to work on or needs none. Raises: UserError naming the section."""
    if until in ("train", "bundle") and not settings.students:
        raise UserError(
            f"there is no student to {until}",
            where=f"{settings.where}: students",
            found="{}",
            do="name one, here or with --student; 'distill presets' lists them",
        )


def require_layers(experiment: Experiment) -> None:
    """Nothing when each student keeps at most the layers of its teacher, as far as these are known yet.

    Raises: UserError naming the student and both numbers.
    """
    for name, student in experiment.settings.students.items():
        available = _teacher_layers(experiment, experiment.settings.source_of(name))
        if available is not None and student.layers > available:
            raise UserError(
                "the student has more layers than its teacher",
                where=f"students.{name}.layers",
                found=f"{student.layers} of {available}",
                do=f"choose a student with at most {available} layers (--student), or a deeper teacher",
            )


def require_intervals(experiment: Experiment) -> None:
    """Check that validation and every test have clusters enough for an interval. Raises: UserError naming the split."""
    for split in experiment.labelled:
        clusters = [cluster_of(record) for record in read_records(experiment.run / RECORDS, split)]
        require_clusters(len(set(clusters)), len(clusters), by_row=not experiment.project.data.keys, where=split)


def require_slices(experiment: Experiment) -> None:
    """Nothing when every slice that a teacher is trained on has training rows. Raises: UserError naming the slice."""
    wanted = {
        name: teacher.slices for name, teacher in experiment.settings.teachers.items() if teacher.slices is not None
    }
    if not wanted:
        return
    known = {record.slice for record in iter_records(experiment.run / RECORDS, "train") if record.slice is not None}
    for name, slices in wanted.items():
        for one in slices:
            if one not in known:
                raise unknown_name("slice", one, known, f"teachers.{name}.slices")


def _teacher_layers(experiment: Experiment, name: str) -> int | None:
    teacher = experiment.settings.teachers[name]
    source = teacher.finished or teacher.checkpoint
    if source is None:
        return teacher.architecture.layers
    folder = local_folder(source)
    return layer_count(folder) if folder and (folder / "config.json").is_file() else None
