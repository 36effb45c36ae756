"""A bundle made from another one: the same files, but for what a new temperature and operating points change."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.core.errors import GateFailed
from distill.core.files import Json, disk_error, read_json, remove, sha256, write_json, write_text
from distill.core.label_space import LabelSpace
from distill.core.leftovers import has_ended, own_name
from distill.evaluation.retuning import Tuned
from export import expected
from export.bundle import require_own_check, write_manifest
from export.checked_bundle import verify
from export.retuned_card import retuned_card
from export.verify import GOLDEN, MANIFEST, files_of

_CARD, _AFTER = "MODEL_CARD.md", "postprocessing.json"
_PARTIAL = re.compile(r"\..+\.([^.]+)\.partial")


@dataclass(frozen=True)
class Retuned:
    """What changes. Attributes: tuned: of each file. record: what it was chosen on, for the lineage. figures: of each
    file, for the model card.
    """

    space: LabelSpace
    tuned: Mapping[str, Tuned]
    record: Json
    figures: Mapping[str, Json]


def write_retuned(bundle: Path, out: Path, retuned: Retuned, threads: int | None = None) -> None:
    """Write the new bundle, which is there only when it verifies. The old one may be signed; the new one is not.

    Raises: GateFailed when it does not. UserError when it cannot be written.
    """
    with _new_folder(out) as folder:
        manifest = _manifest(bundle, retuned)
        _copy(bundle, folder, files_of(manifest))
        write_json(folder / _AFTER, _postprocessing(read_json(bundle / _AFTER), retuned))
        _write_golden(bundle, folder, retuned)
        card = (bundle / _CARD).read_text(encoding="utf-8")
        write_text(folder / _CARD, retuned_card(card, manifest["lineage"]["retuned_from"], retuned.figures))
        write_manifest(folder, manifest)
        verify(folder, threads)
        require_own_check(folder, threads)


def _copy(bundle: Path, folder: Path, names: Iterable[str]) -> None:
    """Copy files, not their rights: a bundle may be read-only, and the new one is still to be written."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bundle / name, folder / name)


def _manifest(bundle: Path, retuned: Retuned) -> Json:
    """The manifest without its files and seal."""
    old = read_json(bundle / MANIFEST)
    earlier = old["lineage"].get("retuned_from")
    came = {"manifest_sha256": sha256(bundle / MANIFEST), **retuned.record, **({"earlier": earlier} if earlier else {})}
    kept = {key: value for key, value in old.items() if key not in ("files", "seal")}
    # Bands hold for the probabilities and thresholds that they were chosen with.
    kept["holds"] = {key: value for key, value in old["holds"].items() if key != "fall_through"}
    entries = {name: {**entry, **_chosen(retuned.tuned[name])} for name, entry in old["artifacts"].items()}
    return {**kept, "artifacts": entries, "lineage": {**old["lineage"], "retuned_from": came}}


def _chosen(tuned: Tuned) -> Json:
    """What an artifact's entry has of it."""
    by_class = {"class_thresholds": dict(tuned.class_thresholds)} if tuned.class_thresholds else {}
    return {"temperature": tuned.temperature, "operating_points": _thresholds(tuned), **by_class}


def _thresholds(tuned: Tuned) -> dict[str, float | None]:
    return {name: one.threshold for name, one in tuned.points.items()}


def _postprocessing(old: Json, retuned: Retuned) -> Json:
    by_class = {name: dict(one.class_thresholds) for name, one in retuned.tuned.items() if one.class_thresholds}
    return {
        **old,
        "temperature": {name: one.temperature for name, one in retuned.tuned.items()},
        "operating_points": {name: _thresholds(one) for name, one in retuned.tuned.items()},
        **({"class_thresholds": by_class} if by_class else {}),
    }


def _write_golden(bundle: Path, folder: Path, retuned: Retuned) -> None:
    """The golden records with the answers that their recorded logits give now."""
    lines = [json.loads(line) for line in (bundle / GOLDEN).read_bytes().splitlines()]
    said = {}
    for name, one in retuned.tuned.items():
        logits = np.array([line["logits"][name] for line in lines], np.float32)
        said[name] = expected.answers(
            logits, retuned.space, one.temperature, _thresholds(one), one.class_thresholds or None
        )
    for number, line in enumerate(lines):
        line["answers"] = {name: rows[number] for name, rows in said.items()}
    write_text(folder / GOLDEN, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder next to `out` that takes its name when the block succeeds, and is gone when it fails."""
    partial = out.with_name(f".{out.name}.{own_name()}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f".{out.name}.*.partial"):
            found = _PARTIAL.fullmatch(left.name)
            if found and left.is_dir() and has_ended(found[1]):
                with suppress(OSError):  # another user's, say; it is in nobody's way
                    remove(left)
        yield partial
        os.rename(partial, out)
    except OSError as error:
        raise disk_error(out, error) from error
    except GateFailed as error:
        raise GateFailed(
            "the retuned bundle does not verify: none was made", where=str(out), found=error.brief, do=error.do
        ) from error
    finally:
        remove(partial)
