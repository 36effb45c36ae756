"""What the run's bundles were made from, as their manifests say: data, encoder and artifacts, each with a hash."""

from __future__ import annotations

from collections.abc import Iterator

from distill.core.current import Current
from distill.core.errors import UserError
from distill.core.files import Json, read_object
from distill.core.run_folder import RunFolder
from distill.report import formats
from distill.report.contents import Report, dig, entries
from distill.report.table_model import Column, Sheet

_HASH = 16  # hexadecimal digits that are shown
_Row = tuple[str, str, str, str]


def lineage_entries(made: Current) -> list[Json]:
    """The `lineage` of report.json: of each bundle that is current its `bundle`, `content_sha256` and `lineage`."""
    found: list[Json] = []
    for path in sorted(made.run.glob("bundles/*/manifest.json")):
        if RunFolder.bundle(path.parent.name) not in made.names:
            continue
        try:
            manifest = read_object(path)
        except UserError:  # being written, or damaged: `distill verify` tells of it
            continue
        if isinstance(manifest.get("lineage"), dict):
            kept = {"content_sha256": manifest.get("content_sha256"), "lineage": manifest["lineage"]}
            found.append({"bundle": path.parent.name, **kept})
    return found


def lineage_sheet(entry: Json) -> Sheet:
    """One bundle's lineage, from the data to the files."""
    columns = [
        Column("What", lambda row: row[0], kind="text"),
        Column("Name", lambda row: row[1], kind="name"),
        Column("Rows", lambda row: row[2]),
        Column("SHA-256", lambda row: row[3], kind="text"),
    ]
    commit = dig(entry, "lineage", "project").get("commit")
    state = " with changes" if dig(entry, "lineage", "project").get("dirty") else ""
    project = f" The project file is of commit {str(commit)[:_HASH]}{state}." if commit else ""
    caption = f"Bundle {entry.get('bundle')}: the first {_HASH} digits of each hash.{project}"
    return Sheet(caption, columns, list(_rows(entry)))


def lineages_of(report: Report) -> list[Json]:
    """The lineage of each bundle."""
    return entries(report, "lineage")


def _rows(entry: Json) -> Iterator[_Row]:
    lineage = dig(entry, "lineage")
    for source, held in dig(lineage, "data").items():
        for file in entries(held, "files"):
            yield (
                f"data: {source}",
                str(file.get("name")),
                formats.integer(file.get("rows")),
                _short(file.get("sha256")),
            )
    encoder = dig(lineage, "encoder")
    if encoder:
        revision = formats.plain(encoder.get("revision"))
        yield "encoder", str(encoder.get("name")), formats.MISSING, revision if revision != "not stated" else "–"
    for name, digest in dig(lineage, "artifacts").items():
        yield "artifact", str(name), formats.MISSING, _short(digest)
    yield "bundle", str(entry.get("bundle")), formats.MISSING, _short(entry.get("content_sha256"))


def _short(digest: object) -> str:
    return formats.MISSING if digest is None else str(digest)[:_HASH]
