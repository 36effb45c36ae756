"""Steps that make records from the user's files, and the audit of those."""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.run_folder import AUDIT, RECORDS
from distill.core.steps import Read, Step, files_by_source
from distill.pipeline.experiment import Experiment
from distill.pipeline.view_tokenizer import known_tokenizer


def records_step(experiment: Experiment) -> Step:
    """From the user's files to clean records and the row ledger."""
    from distill.core.intake.prepare import QUARANTINE_FILE, prepare, records_config
    from distill.core.intake.sources import data_files

    project = experiment.project
    sources = data_files(project, Path())
    return Step(
        name="records",
        artifact=RECORDS,
        body=lambda folder: prepare(project, folder),
        config={**records_config(project), **files_by_source(sources)},
        files=tuple(path for paths in sources.values() for path in paths),
        version=3,
        publish=(QUARANTINE_FILE,),
    )


def audit_step(experiment: Experiment) -> Step:
    """From the records to `audit.json`, which no other step reads.

    Raises: UserError where it is to lay the run's records beside themselves.
    """
    from distill.core.intake.audit import AUDIT_FILE, audit, audit_config

    project, tokenizers = experiment.project, _known_tokenizers(experiment)
    beside = _old_records(experiment)
    old = sorted(beside.glob("*.parquet")) if beside else []
    return Step(
        name="audit",
        artifact=AUDIT,
        body=lambda folder: audit(project, experiment.run / RECORDS, folder, tokenizers=tokenizers),
        config=audit_config(project),
        reads=(Read(RECORDS),),
        files=(*sorted(set(tokenizers.values())), *old),
        version=3,
        publish=(AUDIT_FILE,),
    )


def _old_records(experiment: Experiment) -> Path | None:
    """The records that the run's are laid beside; None for none.

    Raises: UserError where they are the run's own, or another seed's of it: this run writes its own in their place.
    """
    from distill.core.intake.against import old_records

    found, own, above = old_records(experiment.project), experiment.run.path, experiment.settings.seeds_in
    if found is None:
        return None
    run = found.resolve().parent
    if run == own.resolve() or (above is not None and run.parent == above.resolve()):
        do = "give a folder for this run that the earlier one is not in: --out FOLDER"
        raise UserError("a run cannot be compared with itself", where="data.against", found=str(found), do=do)
    return found


def _known_tokenizers(experiment: Experiment) -> dict[str, Path]:
    """Of each view the tokenizer that it is read with, where that is in a folder already."""
    found = {view: known_tokenizer(experiment.settings, view) for view in experiment.project.views}
    return {view: path for view, path in found.items() if path is not None}
