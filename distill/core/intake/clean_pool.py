"""The rows that are left of each pool, as a file for other tools and for other projects.

The columns have the names that the project gives them: those of `data.id` (`id` where none is named), `data.slice`,
`data.keys` and the fields of the views, nested ones under their dotted path. All are text. White space in fields is
squeezed, as models read them. Other columns of the source are not kept.
"""

from __future__ import annotations

from pathlib import Path

from distill.core.errors import UserError
from distill.core.files import replacing
from distill.core.intake.record_reader import field_paths
from distill.core.intake.sources import data_files
from distill.core.project import Project
from distill.core.record_store import record_batches


def write_clean_pools(project: Project, records: Path, folder: Path) -> dict[str, int]:
    """Write `NAME.parquet` into `folder` for each source of the pool; returns its rows by name.

    A project that names such a file as a source, and has the same labelled files and rules, keeps all of its rows.

    Args: records: the records folder of the run.
    Raises: UserError where texts may not leave the run, where a file would replace one that the project reads, or where
        it cannot be written.
    """
    if not project.report.texts:
        do = "leave --clean out; the rows are in the run's records, which stay where they are"
        raise UserError("the clean pool would take texts out of the run", where="report.texts", found="false", do=do)
    inputs = {path.resolve() for paths in data_files(project, Path()).values() for path in paths}
    targets = {name: folder / f"{name}.parquet" for name in project.data.pool}
    if taken := [path for path in targets.values() if path.resolve() in inputs]:
        do = "name another folder"
        raise UserError("a clean pool would replace a file of the project", where=str(taken[0]), do=do)
    return {name: _write(project, records, name, target) for name, target in targets.items()}


def _write(project: Project, records: Path, name: str, target: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _columns(project)
    schema, rows = pa.schema([(column, pa.string()) for column in columns]), 0
    with replacing(target) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for batch in record_batches(records, f"pool.{name}"):
            if not len(batch):  # a pool without rows is stored without the columns of its fields
                continue
            found = [batch.column(stored) for stored in columns.values()]
            writer.write_batch(pa.RecordBatch.from_arrays(found, schema=schema))
            rows += len(batch)
    return rows


def _columns(project: Project) -> dict[str, str]:
    """The columns of a clean file, by name their column in the stored records."""
    data = project.data
    stored = {data.id or "id": "id"}
    stored |= {data.slice: "slice"} if data.slice and data.slice not in stored else {}
    stored |= {path: f"key.{path}" for path in data.keys if path not in stored}
    return stored | {path: f"field.{path}" for path in field_paths(project) if path not in stored}
