"""What workers on other machines read, in the storage that all reach: the model, and the records of their shards."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from distill.core.storage import Storage
from distill.families.family import family_of
from teachers.shards import Shard

INPUTS = "inputs"
_MODELS, _RECORDS = "models", "records"


@dataclass(frozen=True)
class Inputs:
    """Attributes: url: where they are. model: the model's folder below `models`."""

    url: str
    model: str


def upload(place: Storage, model: Path, shards: Sequence[Shard], number: int) -> Inputs:
    """Put what labelling these shards takes below `inputs/<number>`; files that are there are not put again.

    Args: number: of the part of the store, whose models and records are others than those of the next part.
    """
    own = place / INPUTS / str(number)
    there, folders = own.names(), list(dict.fromkeys(_with_parts(model)))
    root = Path(os.path.commonpath([folder.parent for folder in folders]))
    files = {
        f"{_MODELS}/{path.relative_to(root).as_posix()}": path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    for shard in shards:
        files |= {f"{_RECORDS}/{name}.parquet": shard.records / f"{name}.parquet" for name in shard.extent}
    for name, path in files.items():
        if name not in there:
            own.put(path, name)
    return Inputs(own.url, model.relative_to(root).as_posix())


def download_model(place: Storage, inputs: Inputs, folder: Path) -> Path:
    """The model's folder, below a local one, with the folders of the models that it is made of."""
    models = place / _MODELS
    for name in sorted(models.names()):
        models.get(name, folder / name)
    return folder / inputs.model


class RemoteRecords:
    """The records of shards: of each file only the row groups that hold a shard's rows are fetched."""

    def __init__(self, place: Storage) -> None:
        self._place = place / _RECORDS
        self._files: dict[str, pq.ParquetFile] = {}

    def local(self, shard: Shard, folder: Path) -> Shard:
        """The shard with its rows in files of a local folder."""
        extent = shard.extent
        for name, (start, stop) in extent.items():
            pq.write_table(self._place.tried(partial(self._rows, name, start, stop)), folder / f"{name}.parquet")
        spans = [(name, start - extent[name][0], stop - extent[name][0]) for name, start, stop in shard.spans]
        return replace(shard, records=folder, spans=spans)

    def _rows(self, name: str, start: int, stop: int) -> pa.Table:
        if name not in self._files:
            self._files[name] = pq.ParquetFile(self._place.opened(f"{name}.parquet"))
        file, first, begin = self._files[name], 0, 0
        groups: list[int] = []
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            if first < stop and end > start:
                begin = begin if groups else first
                groups.append(group)
            first = end
        try:
            return file.read_row_groups(groups).slice(start - begin, stop - start)
        except Exception:
            del self._files[name]  # an answer that was cut leaves it in a state that nobody knows
            raise


def _with_parts(model: Path) -> Iterator[Path]:
    yield model
    for part in family_of(model).parts(model):
        yield from _with_parts(part)
