"""From a project's records and further files to the pairs that an encoder is pre-trained on."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from distill.core.errors import UserError, unknown_name
from distill.core.files import write_json
from distill.core.intake.sources import expand, read_rows
from distill.core.project import Project, ViewConfig
from distill.core.record_store import iter_records, splits
from distill.core.rendering import FieldError, field_text
from teachers.pretraining.config import PretrainConfig, TextSource
from teachers.pretraining.pairs import Pair, write_pairs

OWN = "records"
SOURCES_FILE = "sources.json"


def text_files(config: PretrainConfig, project: Project) -> dict[str, list[Path]]:
    """The files that the texts of a config are read from, as `texts.NAME`, and as `texts.NAME.unlike`.

    Raises: UserError for a file or glob that matches nothing.
    """
    found = {}
    for name, source in config.texts.items():
        found[f"texts.{name}"] = _files(name, source, project)
        found[f"texts.{name}.unlike"] = _files(name, source, project, "unlike")
    return {name: files for name, files in found.items() if files}


def collect(config: PretrainConfig, project: Project, records: Path | None, seed: int, folder: Path) -> None:
    """Step body: `folder` becomes a store of pairs, with the rows and terms of each source in `sources.json`.

    Args: records: folder of the project's clean records; None when the config does not read them.
    Raises: UserError for an unknown view or field, a column that a source lacks, or texts too few to hold some out.
    """
    view = reading_view(config, project)
    found: dict[str, list[Pair]] = {}
    views: dict[str, ViewConfig] = {}
    if config.own and records is not None:
        found[OWN], views[OWN] = list(_own(config, view, records)), view
    for name, source in config.texts.items():
        found[name] = _sampled(list(_read(name, source, project)), source.rows, seed)
        views[name] = ViewConfig(left=source.left, right=source.right, max_tokens=view.max_tokens)
    total = sum(map(len, found.values()))
    if total <= config.held_out:
        raise UserError(
            "too few texts to pre-train on",
            found=f"{total} rows",
            do=f"more than held_out, {config.held_out}, are needed",
        )
    write_pairs(folder, (pair for pairs in found.values() for pair in pairs), views)
    terms = {name: source.terms for name, source in config.texts.items()}
    write_json(
        folder / SOURCES_FILE,
        {name: {"rows": len(pairs), "terms": terms.get(name, "")} for name, pairs in found.items()},
    )


def reading_view(config: PretrainConfig, project: Project) -> ViewConfig:
    """The view by which the project's records are read; long texts are read once, at their beginning.

    Raises: UserError for an unknown view or category.
    """
    if config.view not in project.views:
        raise unknown_name("view", config.view, project.views, "pretrain.view")
    known = {path for view in project.views.values() for path in view.fields}
    if config.category is not None and config.category not in known:
        raise unknown_name("field", config.category, known, "pretrain.category")
    return project.views[config.view].model_copy(update={"windows": None})


def _own(config: PretrainConfig, view: ViewConfig, records: Path) -> Iterator[Pair]:
    """The project's training and pool records, without their labels."""
    for split in splits(records):
        if split != "train" and not split.startswith("pool."):
            continue
        for record in iter_records(records, split):
            category = record.fields[config.category] if config.category else record.slice
            left, right = (tuple(record.fields[path] for path in side) for side in (view.left, view.right))
            yield Pair(OWN, category or "", left, right)


def _read(name: str, source: TextSource, project: Project) -> Iterator[Pair]:
    """The rows of a source's files whose sides are not empty."""
    taken = set(_sides(name, source, project))
    for path in _files(name, source, project):
        kept = 0
        for values in _values(path):
            if any(_text(values, column) != str(value) for column, value in source.where.items()):
                continue
            left, right = _side(values, source.left), _side(values, source.right)
            if not any(left) or (source.right and not any(right)) or left in taken or right in taken:
                continue
            kept += 1
            yield Pair(name, _text(values, source.category) if source.category else "", left, right)
        if not kept:
            raise UserError(
                "no row of the file has texts to learn from",
                where=f"pretrain.texts.{name}: {path}",
                found=f"columns {', '.join([*source.left, *source.right])}",
                do="correct the column names, or loosen where",
            )


def _files(name: str, source: TextSource, project: Project, key: Literal["files", "unlike"] = "files") -> list[Path]:
    return expand(Path(project.data.root) / source.root, getattr(source, key) or [], f"pretrain.texts.{name}.{key}")


def _sides(name: str, source: TextSource, project: Project) -> Iterator[tuple[str, ...]]:
    """Every side of the rows that must not be read."""
    for path in _files(name, source, project, "unlike"):
        for values in _values(path):
            yield from (_side(values, columns) for columns in (source.left, source.right))


def _values(path: Path) -> Iterator[Mapping[str, Any]]:
    return (row.values for row in read_rows(path) if row.values is not None)


def _side(values: Mapping[str, Any], columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(_text(values, column) for column in columns)


def _text(values: Mapping[str, Any], column: str) -> str:
    """The text of a column; a value that is none counts as empty."""
    try:
        return field_text(values, column)
    except FieldError:
        return ""


def _sampled(pairs: list[Pair], rows: int | None, seed: int) -> list[Pair]:
    """A seeded sample in the order of the files; all of them when there are fewer."""
    if rows is None or rows >= len(pairs):
        return pairs
    return [pairs[index] for index in sorted(random.Random(seed).sample(range(len(pairs)), rows))]
