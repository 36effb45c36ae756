"""What can be known to fail later, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.core.errors import MissingExtra, UserError, unknown_name
from distill.core.few_rows import ENOUGH_POSITIVES, enough_clusters, hardly_passed, majority_gain
from distill.core.files import Json
from distill.core.labelling import Labelling
from distill.core.model_folder import layer_count, width
from distill.core.predictions import cluster_of, clusters_of
from distill.core.progress import note
from distill.core.project import Gates
from distill.core.record_store import iter_records, read_records, slice_counts
from distill.core.run_folder import RECORDS, RunFolder
from distill.core.storage import storage
from distill.evaluation.bootstrap import require_clusters
from distill.inference.providers import AUTO, ProviderError, candidates
from distill.models.layer_map import require_source
from distill.pipeline.experiment import Experiment
from distill.pipeline.ladders import obstacle
from distill.pipeline.settings import Settings
from students.config import StudentConfig, TrainedEntry
from teachers.config import TeacherConfig
from teachers.embedded import local_folder


def require_students(settings: Settings, until: str) -> None:
    """Check that the verb `until` finds students to work on or needs none. Raises: UserError naming the section."""
    if until in ("train", "bundle") and not settings.students:
        raise UserError(
            f"there is no student to {until}",
            where=f"{settings.where}: students",
            found="{}",
            do="name one, here or with --student; 'distill presets' lists them",
        )


def require_provider(experiment: Experiment) -> None:
    """Check that what was asked to run exported files is here and may run each of them. Raises: UserError naming both.

    Where nothing was asked for, each file has its own.
    """
    asked, targets = experiment.project.provider, experiment.settings.targets
    if asked == AUTO or not targets:
        return
    try:
        from onnxruntime import get_available_providers
    except ImportError:
        raise MissingExtra("ONNX Runtime", "cpu") from None
    for name, target in targets.items():
        try:
            candidates(asked, target.facts(), get_available_providers())
        except ProviderError as error:
            do = "leave --provider out, or take the target out of export (--set 'export=[onnx]')"
            raise UserError(f"the export '{name}' cannot run there", where="provider", found=error, do=do) from None


def require_machine(experiment: Experiment, pending: Collection[str]) -> None:
    """Check that this machine can make each exported file that is still to be made.

    Args: pending: artifacts of steps that are not done. Raises: UserError naming the target and what to install.
    """
    wanted = {target for spec, target in experiment.exports() if RunFolder.export(spec.name, target) in pending}
    for name, target in experiment.settings.targets.items():
        if name in wanted:
            target.require_machine()


def require_labelling(experiment: Experiment, pending: bool) -> None:
    """Check that who is asked to label can work here, and that the storage of labels can be written.

    Args: pending: whether labels are still to be made. Raises: UserError, MissingExtra.
    """
    asked = experiment.project.labelling
    if not pending or asked == Labelling():
        return
    from teachers.engines.engine import engine

    engine(asked).require()
    if asked.store is not None:
        with TemporaryDirectory() as scratch:
            storage(asked.store).require(Path(scratch))


def require_layers(experiment: Experiment) -> None:
    """Check that each student and teacher keeps layers that what it starts from has, as far as these are known.

    Raises: UserError naming the model and both numbers.
    """
    for name, teacher in experiment.settings.teachers.items():
        if isinstance(teacher, TeacherConfig) and (start := _depth(experiment.settings, name, before=True)) is not None:
            for one in teacher.in_phases().values():
                require_source(f"teachers.{name}", start, one.layers, one.keep)
                start = one.layers or start
    for name, student in experiment.settings.students.items():
        if isinstance(student, StudentConfig):
            available = _source_layers(experiment.settings, student)
            if available is not None:
                require_source(f"students.{name}", available, student.layers, student.keep)


def tell_targets(experiment: Experiment) -> None:
    """Note each student that cannot leave as a target that the project names, and why."""
    for spec in experiment.students:
        found: dict[str, list[str]] = {}
        for name, target in experiment.settings.targets.items():
            if why := obstacle(spec, target):
                found.setdefault(why, []).append(name)
        for why, names in found.items():
            note(f"students.{spec.name} is not exported as {', '.join(names)}: {why}")


def require_equal_starts(settings: Settings) -> None:
    """Check that a teacher that starts from a model names no other encoder for itself, as far as both are known.

    Raises: UserError naming the teacher and both encoders.
    """
    for name, teacher in settings.teachers.items():
        if not isinstance(teacher, TeacherConfig) or teacher.starts_from is None:
            continue
        root = settings.teachers[settings.root_of(name)]
        assert isinstance(root, TeacherConfig)
        own, other = _shape(teacher), _shape(root)
        named_apart = root.finished is None and teacher.checkpoint != root.checkpoint
        if named_apart or (None not in (own, other) and own != other):
            raise UserError(
                "the teacher starts from a model of another encoder than its own checkpoint",
                where=f"teachers.{name}.starts_from",
                found=f"'{teacher.starts_from}' is {_told(root, other)}, '{name}' {_told(teacher, own)}",
                do="give both the same checkpoint (--checkpoint is for all), or leave starts_from out",
            )


def _shape(teacher: TeacherConfig) -> tuple[int | None, int | None] | None:
    """Layers and width of the encoder that a teacher names; None where these are not known yet."""
    place = teacher.finished or teacher.checkpoint
    folder = local_folder(place) if place else None
    if folder is None or not (folder / "config.json").is_file():
        return None
    return layer_count(folder), width(folder)


def _told(teacher: TeacherConfig, shape: tuple[int | None, int | None] | None) -> str:
    size = f" ({shape[0]} layers of width {shape[1]})" if shape else ""
    return f"{teacher.finished or teacher.checkpoint or 'of random weights'}{size}"


def require_intervals(experiment: Experiment) -> None:
    """Check that validation and every test have clusters enough for an interval. Raises: UserError naming the split."""
    for split in experiment.predicted_splits:
        keys = experiment.project.data.keys
        clusters = [clusters_of(record) for record in read_records(experiment.run / RECORDS, split)]
        values = [len(set(column)) for column in zip(*clusters, strict=True)] or [0]
        others = dict(zip(keys[1:], values[1:], strict=False))
        require_clusters(values[0], len(clusters), by_row=not keys, where=split, others=others)


def interval_warning(experiment: Experiment) -> str | None:
    """That training will stop because a split has too few clusters for an interval, and what to do."""
    try:
        require_intervals(experiment)
    except UserError as error:
        return f"nothing can be trained: {error.where}: {error.brief}; {error.do}"
    return None


def few_rows(experiment: Experiment, audit: Json) -> Iterator[str]:
    """What validation and the test have too few rows for, in words: all of it costs a whole run to find out else."""
    counts, task = audit["balance"]["classes"], experiment.project.task
    valid, tests = counts.get("valid"), [test for test in experiment.tests if test in experiment.predicted_splits]
    if experiment.has_validation and valid and (task.positive or len(valid) == 2):
        label = task.positive or min(valid, key=lambda label: valid[label])
        if 0 < valid[label] < ENOUGH_POSITIVES:
            do = f"give more of them, or raise data.split.valid; {ENOUGH_POSITIVES} or more would do"
            chosen = "thresholds and checkpoints are chosen on them"
            yield f"validation has {valid[label]} rows of '{label}', and {chosen}: {do}"
    if tests:
        keys, asked = experiment.project.data.keys, _asked_of_students(experiment)
        rows = [sum(counts[test][label] for test in tests) for label in task.labels]
        gain = majority_gain(rows, several=task.space.objective.several)
        clusters = {cluster_of(record) for test in tests for record in iter_records(experiment.run / RECORDS, test)}
        what = f"values of {keys[0]} in the test rows" if keys else "test rows"
        said = hardly_passed(len(clusters), enough_clusters(asked, gain), what)
        yield from [said] if said else []


def _asked_of_students(experiment: Experiment) -> Gates:
    """The gates, without those that the run has nothing to compare for, or of a figure whose width is not known."""
    project = experiment.project
    off = [] if project.controls.gold_twins and project.quality.metric != "log_loss" else ["over_gold"]
    off += [] if project.controls.card_teacher else ["retention_card"]
    return project.gates.model_copy(update=dict.fromkeys(off))


def require_positive(experiment: Experiment, report: Json) -> None:
    """Check that validation has rows of the positive class, on which its thresholds are chosen.

    Args: report: with the audit. Raises: UserError naming the class.
    """
    positive, counts = experiment.project.task.positive, report["audit"]["balance"]["classes"].get("valid")
    if experiment.has_validation and positive is not None and counts and not counts[positive]:
        raise UserError(
            "no validation row has the positive class, so no threshold can be chosen for it",
            where="data.valid, task.positive",
            found=f"{positive}: 0 of {sum(counts.values())} rows",
            do="give validation rows of it, or leave task.positive out: then no operating point is promised",
        )


def require_slices(experiment: Experiment) -> None:
    """Check that every slice that a teacher is trained on has training rows. Raises: UserError naming the slice."""
    for spec in experiment.taught:
        slices = getattr(spec.config, "slices", None)
        known: set[str] = set()
        for split in experiment.gold_splits(spec) if slices else ():
            known |= slice_counts(experiment.run / RECORDS, split).keys()
        for one in slices or ():
            if one not in known:
                raise unknown_name("slice", one, known, f"teachers.{spec.entry}.slices")


def require_folds(experiment: Experiment) -> None:
    """Check that there are rows to hold out for every fold of teachers that are cross-fitted.

    Raises: UserError naming the teacher and both numbers.
    """
    asked = {name: one.cross_fit for name, one in experiment.settings.teachers.items() if one.cross_fit is not None}
    if not asked:
        return
    found = [cluster_of(record) for record in iter_records(experiment.run / RECORDS, "train")]
    clusters, rows = set(found), len(found)
    for name, folds in asked.items():
        if experiment.settings.teachers[name].kfold:
            require_clusters(len(clusters), rows, by_row=not experiment.project.data.keys, where="train")
        if folds > len(clusters):
            unit = "values of the first key" if experiment.project.data.keys else "rows"
            raise UserError(
                "the training rows cannot be dealt into so many folds",
                where=f"teachers.{name}.cross_fit",
                found=f"{folds} folds, {len(clusters)} {unit}",
                do=f"ask for at most {len(clusters)}; 5 or so are enough",
            )


def layers_of(settings: Settings, name: str) -> int | None:
    """Layers of a teacher's encoder or of a student; None where they are not known yet."""
    if name in settings.teachers:
        return _depth(settings, name)
    entry = settings.students[name]
    return entry.layers or _source_layers(settings, entry) if isinstance(entry, StudentConfig) else None


def _depth(settings: Settings, teacher: str, *, before: bool = False) -> int | None:
    """Layers of a teacher; before: of what it starts from. None where they are not known yet."""
    line = settings.line_of(teacher)
    entries = [settings.teachers[one] for one in line[1 if before else 0 :]]
    named = (one.depth for one in entries if isinstance(one, TeacherConfig))
    if (depth := next(filter(None, named), None)) is not None:
        return depth
    root = settings.teachers[line[-1]]
    return _checkpoint_layers(root, root.finished or root.checkpoint) if isinstance(root, TeacherConfig) else None


def _source_layers(settings: Settings, student: TrainedEntry) -> int | None:
    """Layers of what a student starts from; None where they are not known yet."""
    if student.has_own_start:
        return _checkpoint_layers(student, student.start)
    return layers_of(settings, settings.source_of(student))


def _checkpoint_layers(entry: TeacherConfig | TrainedEntry, source: str | None) -> int | None:
    if source is None:
        return entry.architecture.layers
    folder = local_folder(source)
    return layer_count(folder) if folder and (folder / "config.json").is_file() else None
