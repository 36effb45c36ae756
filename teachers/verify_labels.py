"""A finished label store held against its teacher: every file hashed, a sample of rows scored again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distill.core import manifest
from distill.core.errors import UserError
from distill.core.label_origin import Origin, origin_of_file, require_one_teacher
from distill.core.record_rows import RecordRows
from distill.core.record_store import read_columns
from distill.core.run_folder import RECORDS
from distill.core.soft_labels import FAILED, UNLABELLED, read_shard, shard_files
from distill.families.family import CONFIG_FILE, Opening, is_remote, open_model
from distill.families.model_hash import model_hash
from distill.inference.scorer import Logits
from teachers.label_origins import records_hash, view_hash
from teachers.opening import opening_of

SAMPLE = 64
TOLERANCES: Mapping[str, float] = {"fp32": 1e-4, "bf16": 0.02}
"""Largest difference of a logit by precision, as a share of the store's largest logit or of 1, whichever is more: what
other batch mates, threads and processors change."""
_HALF = 2.0**-11  # how far float16 rounds, as a share of the value
_LABEL = "delete the folder of labels and start again: the teacher labels all rows anew"


@dataclass(frozen=True)
class Checked:
    """What a check of a store found.

    Attributes: shards, rows: of the store. scored: rows of the sample that were scored again. largest: difference of
        a logit among them; infinite where one is a number and the other is none. tolerance: what it may be.
        note: why nothing was scored.
    """

    store: str
    teacher: str
    precision: str
    shards: int
    rows: int
    scored: int = 0
    largest: float = 0.0
    tolerance: float = 0.0
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the labels are the teacher's."""
        return self.largest <= self.tolerance


@dataclass(frozen=True)
class _Sample:
    """Rows of a store. Attributes: origins: of each row's shard."""

    ids: Sequence[str]
    sources: Sequence[str]
    logits: Logits
    origins: Sequence[Origin]


def verify_store(run: Path, store: Path, seed: int, threads: int) -> Checked:
    """Check a finished store of a run.

    Raises: UserError for files that are missing, changed or not of this store, and where the teacher, its view or the
        records are not those that the labels were made of; MissingExtra without the backend that made them.
    """
    content = manifest.read_manifest(store)
    manifest.require_whole(store)
    paths = shard_files(store)
    if strangers := [path for path in paths if path.name not in content["files"]]:
        found = f"{len(strangers)} shards that its manifest does not name"
        raise UserError("a shard that no step has written", where=str(strangers[0]), found=found, do="move it away")
    require_one_teacher(paths)
    counts = [pq.read_metadata(path).num_rows for path in paths]
    known = [origin for path in paths if (origin := origin_of_file(path)) is not None]
    models = {model_hash(folder): folder for folder in _models(run, content["inputs"])}
    told = Checked(store.name, "", "", len(paths), sum(counts))
    if not models:
        return replace(told, note="made elsewhere")
    if not known:
        return replace(told, note="its shards do not say what made them")
    for path, origin in zip(paths, known, strict=True):
        _require_sources(path, origin, models, run / RECORDS)
    precision = "/".join(sorted({origin.precision for origin in known}))
    told = replace(told, teacher=models[known[0].teacher].name, precision=precision)
    if any(map(is_remote, models.values())):
        return replace(told, note="its teacher is behind a server")
    sample = _sample(paths, counts, known, seed)
    ways = {said: opening_of(said, threads) for said in {one.precision for one in sample.origins}}
    largest = _largest(sample, models, run / RECORDS, ways)
    return replace(told, scored=len(sample.ids), largest=largest, tolerance=_tolerance(sample, paths[0], ways))


def _models(run: Path, inputs: Mapping[str, str]) -> Iterator[Path]:
    """The model folders that a store was made of, checked."""
    for artifact in inputs:
        if (run / artifact / CONFIG_FILE).exists():
            manifest.require_whole(run / artifact)
            yield run / artifact


def _require_sources(path: Path, origin: Origin, models: Mapping[str, Path], records: Path) -> None:
    """Check that the run still has what a shard was made of. Raises: UserError naming what is another one now."""
    for what, digest in (("teacher", origin.teacher), ("fold's model", origin.model)):
        if digest is not None and digest not in models:
            held = ", ".join(f"{folder.name} {one[:12]}" for one, folder in models.items())
            found = f"{what} {digest[:12]}, the run has {held}"
            raise UserError(f"a shard is of another {what}", where=str(path), found=found, do=_LABEL)
    if (view := view_hash(models[origin.teacher])) != origin.view:
        found = f"view {origin.view[:12]}, the teacher reads {view[:12]}"
        raise UserError("a shard is of another view", where=str(path), found=found, do=_LABEL)
    for file, digest in origin.records.items():
        if (records / f"{file}.parquet").exists() and records_hash(records, file) != digest:
            found = f"{file} {digest[:12]}, the run has {records_hash(records, file)[:12]}"
            raise UserError("a shard is of other record files", where=str(path), found=found, do=_LABEL)


def _sample(paths: Sequence[Path], counts: Sequence[int], origins: Sequence[Origin], seed: int) -> _Sample:
    """A seeded sample of the rows that a model answered; only the shards that it is in are read."""
    chosen = np.array(sorted(random.Random(seed).sample(range(sum(counts)), min(SAMPLE, sum(counts)))))
    ids, sources, logits, found = list[str](), list[str](), [], list[Origin]()
    for path, origin, (start, stop) in zip(paths, origins, pairwise(np.cumsum([0, *counts]).tolist()), strict=True):
        rows = chosen[(chosen >= start) & (chosen < stop)] - start
        if not len(rows):
            continue
        labels = read_shard(path)
        kept = [int(row) for row in rows if labels.status[row] not in (FAILED, UNLABELLED)]
        ids += [labels.ids[row] for row in kept]
        sources += [labels.sources[row] for row in kept]
        logits.append(labels.logits[kept])
        found += [origin] * len(kept)
    return _Sample(ids, sources, np.concatenate(logits), found)


def _largest(sample: _Sample, models: Mapping[str, Path], records: Path, ways: Mapping[str, Opening]) -> float:
    """The largest difference of a logit between the store and its models now. Args: ways: to open one, by precision."""
    texts = _texts(sample, records)
    largest = 0.0
    for way in dict.fromkeys(one.asked for one in sample.origins):
        model, precision, factor = way
        rows = [row for row, one in enumerate(sample.origins) if one.asked == way]
        scored = open_model(models[model], ways[precision]).score([texts[row] for row in rows]).logits
        again = scored if factor is None else scored * np.float32(factor)
        largest = max(largest, _difference(sample.logits[rows], again))
    return largest


def _difference(stored: Logits, again: Logits) -> float:
    """The largest |a − b|; infinite where one is a number and the other is none, 0 where neither is."""
    if (np.isfinite(stored) != np.isfinite(again)).any():
        return float("inf")
    both = np.isfinite(stored)
    differences: NDArray[np.float32] = np.abs(stored[both] - again[both])
    return float(differences.max(initial=0.0))


def _tolerance(sample: _Sample, path: Path, ways: Mapping[str, Opening]) -> float:
    """What the largest difference may be."""
    finite = np.abs(sample.logits[np.isfinite(sample.logits)])
    scale = max(1.0, float(finite.max(initial=0.0)))
    half = pa.types.is_float16(pq.read_schema(path).field("logits").type.value_type)
    loosest = max((TOLERANCES[one.precision] for one in ways.values()), default=0.0)
    return scale * (loosest + (_HALF if half else 0.0))


def _texts(sample: _Sample, records: Path) -> list[dict[str, str]]:
    """The texts of the sample's rows, found by id. Raises: UserError for a row that the records have not."""
    found: dict[str, dict[str, str]] = {}
    with RecordRows(records) as rows:
        for source in dict.fromkeys(sample.sources):
            own = [name for name, one in zip(sample.ids, sample.sources, strict=True) if one == source]
            ids = read_columns(records, source, ["id"])["id"].combine_chunks()
            places = pc.index_in(pa.array(own, pa.string()), value_set=ids).to_pylist()
            if None in places:
                where = f"{records / source}.parquet"
                raise UserError(
                    "a labelled row is not in the records", where=where, found=own[places.index(None)], do=_LABEL
                )
            for name, place in zip(own, places, strict=True):
                found[name] = rows.texts([(source, place, place + 1)])[1][0]
    return [found[name] for name in sample.ids]
