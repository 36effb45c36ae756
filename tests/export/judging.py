"""What a run's gates say of an exported file, from its `parity.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distill.core.project import Gates
from distill.evaluation.entries import Parity
from distill.evaluation.gates import changes_gates, judged_parity, parity_gates
from export.targets.base import Target


def failed_gates(target: Target, parity: Mapping[str, Any]) -> set[str]:
    """The gates that a file fails, as the default project and its target's preset declare them."""
    gates = Gates()
    checks = [Parity.from_json(one) for one in judged_parity(gates, [{**parity, "limits": target.declared()}])]
    return {gate.metric for gate in [*parity_gates(checks), *changes_gates(gates, checks)] if not gate.passed}
