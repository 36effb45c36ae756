"""`distill label --verify RUN`: the label stores of a run, held against the teachers that made them."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

from distill.core.artifacts import finished
from distill.core.errors import GateFailed, UserError
from distill.core.manifest import read_manifest
from distill.core.progress import Reporter, progress, reporting
from distill.core.run_folder import read_run
from distill.report.finding import Finding
from distill.report.label_check_table import label_check_sheet
from teachers.verify_labels import Checked, verify_store

_STEP = "label "


def verified(run: Path, reporter: Reporter) -> Finding:
    """Check every finished label store of a run, of its seeds too; failed where a teacher answers otherwise now.

    Raises: UserError where there is none, and as `verify_store`.
    """
    config = read_run(run)["config"]
    stores = [
        folder for folder, name in finished(run) if str(read_manifest(folder, name).get("step")).startswith(_STEP)
    ]
    if not stores:
        do = "label first: distill label; what is unfinished goes on with the same command"
        raise UserError("no finished soft labels here", where=str(run), do=do)
    checked = []
    with reporting(reporter), progress("checking labels", len(stores), unit="stores") as advance:
        for store in stores:
            checked.append(verify_store(store.parents[1], store, int(config["seed"]), int(config["threads"])))
            advance(len(checked))
    content = {"stores": [_as_json(one) for one in checked]}
    return Finding(content, [label_check_sheet(content)], failed=_failure(run, checked))


def _failure(run: Path, checked: list[Checked]) -> GateFailed | None:
    wrong = [f"{one.store}: {one.largest:.3g}, at most {one.tolerance:.3g}" for one in checked if not one.passed]
    if not wrong:
        return None
    do = "delete these stores and start again, or find out what changed: libraries, processor, labelling.precision"
    return GateFailed("soft labels are not what their teacher answers", where=str(run), found="; ".join(wrong), do=do)


def _as_json(one: Checked) -> dict[str, object]:
    largest = one.largest if math.isfinite(one.largest) else None
    return {**asdict(one), "largest": largest, "passed": one.passed}
