"""The gates of a project: required figure, measured figure, passed or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from distill.core.errors import GateFailed
from distill.core.project import Gates

LEAK = "leak"


def leak_gate(gates: Gates, audit: dict[str, Any]) -> list[dict[str, Any]]:
    """Test rows that also stand in train, valid or the pool."""
    if gates.leak is None:
        return []
    rows = audit["leak_rows"]
    return [_gate(LEAK, gates.leak, rows, rows <= gates.leak)]


def parity_gates(parity: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One gate for each exported file, as its parity check decided."""
    return [
        _gate(
            f"parity {entry['name']}.{entry['target']}",
            entry["required"],
            entry["label_flips"] if "int8" in entry["target"] else entry["max_abs_diff"],
            entry["passed"],
        )
        for entry in parity
    ]


def retention_gates(gates: Gates, models: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lower bound of student@card / teacher@card for each student and artifact."""
    if gates.retention_card is None:
        return []
    required = gates.retention_card
    judged = [model for model in models if model["role"] in ("student", "artifact") and model["retention"]]
    lows = [(model["name"], model["retention"]["card"]["low"]) for model in judged]
    return [_gate(f"retention.card {name}", required, low, low is not None and low >= required) for name, low in lows]


def of_seed(seed: int, gates: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The gates that failed in the run of one seed, named after it; a leak is the same in every seed and left out."""
    failed = [gate for gate in gates if not gate["passed"] and gate["name"] != LEAK]
    return [{**gate, "name": f"seed {seed}: {gate['name']}"} for gate in failed]


def require(gates: Sequence[dict[str, Any]], where: str) -> None:
    """Nothing when every gate passed. Raises: GateFailed listing each that did not, with both figures."""
    failed = [gate for gate in gates if not gate["passed"]]
    if failed:
        listed = "; ".join(
            f"{gate['name']}: required {gate['required']}, measured {gate['measured']}" for gate in failed
        )
        raise GateFailed(
            f"{len(failed)} of {len(gates)} gates failed, no bundle was made",
            where=where,
            found=listed,
            do="read the report, then mend the cause; a gate set to null in the config is off",
        )


def _gate(name: str, required: Any, measured: Any, passed: bool) -> dict[str, Any]:
    return {"name": name, "required": required, "measured": measured, "passed": bool(passed)}
