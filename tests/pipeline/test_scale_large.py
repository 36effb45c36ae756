"""`distill scale --dry-run` over a pool of a million rows."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from distill.core.manifest import read_manifest, write_manifest
from distill.core.progress import Reporter
from distill.core.record_store import iter_records, write_records
from distill.core.records import Record
from distill.pipeline.scale import Scaling
from distill.pipeline.scale_outlook import scale_lines
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from tests.pipeline.seeds_project import write_project

ROWS = 1_000_000
SETS = ["controls={card_teacher: false, gold_twins: false}"]


def peak() -> int:
    """Bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
def test_the_points_of_a_million_rows_are_told_from_fifty(tmp_path: Path) -> None:
    project, run = write_project(tmp_path), tmp_path / "run"
    settings = resolve_settings(project, run, teachers=["new"], students=["small"], sets=SETS)
    execute_run(settings, Reporter(), "audit")
    records = run / "records"
    scale_lines(settings, Scaling([1]))
    few = peak()
    rows = list(iter_records(records, "pool.urls"))
    made = (Record(f"p{n}", rows[n % len(rows)].fields, None, rows[0].slice, rows[0].keys) for n in range(ROWS))
    write_records(records / "pool.urls.parquet", made)
    content = read_manifest(records)
    write_manifest(records, {name: content[name] for name in content if name not in ("schema", "files", "sha256")})
    lines = scale_lines(settings, Scaling([1, 1000, 20_000]))
    assert peak() - few < 100 * 2**20
    assert any(" 1000000 pool rows " in line for line in lines) and any("90000 pool rows" in line for line in lines)
