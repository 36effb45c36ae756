"""Proof of a finished bundle from outside: its answers against what the run stored of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.core.errors import GateFailed
from distill.core.files import Json, read_json
from distill.core.label_space import LabelSpace
from distill.core.progress import note
from distill.inference.providers import AUTO, CPU, tolerance
from export import expected
from export.clean_process import run_alone
from export.verify import CLASS_F1, GOLDEN, MANIFEST, answer_difference, class_difference

_CLIENT = Path(__file__).with_name("client.py")
_SAME_POINT = 1e-4  # of a threshold, found anew from the same predictions


@dataclass(frozen=True)
class Stored:
    """What a run holds of one exported file, by none of the code that builds bundles.

    Attributes: logits: float32 (N, K), the predictions of N records. temperature, operating_points, class_thresholds:
        from the file's predictions on validation.
    """

    logits: NDArray[np.float32]
    temperature: float
    operating_points: Mapping[str, float | None]
    class_thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """What a bundle is held against.

    Attributes: ids, records: of N real records. stored: by name of the artifact. space: the task's labels.
        weights_sha256: of the student that was trained and measured. provider: what the stored answers were asked on.
    """

    ids: Sequence[str]
    records: Sequence[Mapping[str, Any]]
    stored: Mapping[str, Stored]
    space: LabelSpace
    weights_sha256: str
    provider: str = AUTO


def prove(folder: Path, proof: Proof, threads: int | None = None) -> None:
    """Ask a finished bundle in a clean process, for the golden records too, and compare all that it says.

    Each file must say that it was made from the student's weights. Its logits must be the stored ones within the file's
    tolerance; labels, probabilities and decisions those that the toolkit's objective makes of them; operating points
    those of its own predictions on validation.

    Raises: GateFailed naming the file, the record and what differs.
    """
    proof = _with_golden(folder, proof)
    entries = read_json(folder / MANIFEST)["artifacts"]
    try:
        said = json.loads(_ask(folder, proof, threads))
        problems = {name: _problem_of(name, said[name], entries[name], proof) for name in proof.stored}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _unusable(folder, f"answers of another form: {type(error).__name__}: {error}") from error
    for name, problem in problems.items():
        if problem is not None:
            raise GateFailed(
                f"the finished bundle does not give the answers that the run measured: {name}; no bundle was made",
                where=str(folder),
                found=problem,
                do="if the run comes from another machine or other versions, delete its predictions and start again",
            )


def _with_golden(folder: Path, proof: Proof) -> Proof:
    """The same, with the golden records after the real ones."""
    golden = [json.loads(line) for line in (folder / GOLDEN).read_bytes().splitlines()]
    stored = {}
    for name, one in proof.stored.items():
        logits = np.array([line["logits"][name] for line in golden], np.float32)
        stored[name] = replace(one, logits=np.concatenate([one.logits, logits]))
    ids = [*proof.ids, *(f"golden {line['id']}" for line in golden)]
    return replace(proof, ids=ids, records=[*proof.records, *(line["record"] for line in golden)], stored=stored)


def _ask(folder: Path, proof: Proof, threads: int | None) -> str:
    """What the client prints. Raises: GateFailed where it fails."""
    asked: Json = {"bundle": str(folder), "threads": threads, "provider": proof.provider}
    asked |= {"artifacts": list(proof.stored), "records": proof.records}
    done = run_alone(_CLIENT, asked=json.dumps(asked))
    if done.returncode:
        raise _unusable(folder, (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1])
    return done.stdout


def _unusable(folder: Path, found: str) -> GateFailed:
    what = "the finished bundle cannot be used by its own runtime.py; no bundle was made"
    return GateFailed(what, where=str(folder), found=found)


def _problem_of(name: str, said: Json, entry: Json, proof: Proof) -> str | None:
    """The first thing that differs in one file's answers; one that no processor runs may have none here."""
    if "unavailable" not in said:
        return _problem(said, proof.stored[name], proof, tolerance(entry, said["provider"]))
    if CPU in entry["providers"]:
        return str(said["unavailable"])
    note(f"not replayed here: {said['unavailable']}")
    return None


def _problem(said: Json, stored: Stored, proof: Proof, allowed: float) -> str | None:
    """The first thing that differs, in the order in which one explains the next."""
    made_from = said["metadata"].get("source_sha256")
    if made_from != proof.weights_sha256:
        return f"made from the weights {str(made_from)[:12]}…, the student's are {proof.weights_sha256[:12]}…"
    if not _same_points(said["operating_points"], stored.operating_points):
        return f"operating points {said['operating_points']}, measured {dict(stored.operating_points)}"
    if not _same_points(said["class_thresholds"], stored.class_thresholds):
        return f"class thresholds {said['class_thresholds']}, measured {dict(stored.class_thresholds)}"
    here = np.array(said["logits"], np.float32)
    if here.shape != stored.logits.shape:
        return f"logits of shape {here.shape}, measured {stored.logits.shape}"
    differences = np.abs(here - stored.logits).max(axis=1)
    worst = int(differences.argmax())
    if not differences[worst] <= allowed:
        return f"record {proof.ids[worst]}: logits differ by {differences[worst]:.2g}, allowed {allowed:.2g}"
    return _other_answer(said, here, stored, proof)


def _other_answer(said: Json, here: NDArray[np.float32], stored: Stored, proof: Proof) -> str | None:
    """The first answer that is not what these logits say after the temperature and at the operating points."""
    points = {name: least for name, least in stored.operating_points.items() if least is not None}
    wanted = expected.answers(here, proof.space, stored.temperature, points, stored.class_thresholds)
    for index, (one, answer) in enumerate(zip(wanted, said["answers"], strict=True)):
        decided = {name: decisions[index] for name, decisions in said["positive"].items()}
        at_classes = {CLASS_F1: said["class_labels"][index]} if said["class_labels"] else {}
        found = answer_difference(one, {**answer, "positive": decided}, points, proof.space.positive)
        if found := found or class_difference(one, at_classes, stored.class_thresholds):
            return f"record {proof.ids[index]}: {found}"
    return None


def _same_points(said: Mapping[str, float | None], measured: Mapping[str, float | None]) -> bool:
    return said.keys() == measured.keys() and all(_same(said[name], least) for name, least in measured.items())


def _same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) <= _SAME_POINT
