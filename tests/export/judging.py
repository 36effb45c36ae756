"""What a run's gates say of an exported file, from its `parity.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distill.core.project import Gates
from distill.evaluation.entries import Parity
from distill.evaluation.gates import changes_gates, judged_parity, parity_gates
from export.targets.base import Target

# Half a percent of some 100 records is less than one of them: a project of so few allows two.
GATES = Gates(decisions=0.02)


def failed_gates(target: Target, parity: Mapping[str, Any]) -> set[str]:
    """The gates of a small project that a file fails, as its target's preset declares them."""
    checks = [Parity.from_json(one) for one in judged_parity(GATES, [{**parity, "limits": target.declared()}])]
    return {gate.metric for gate in [*parity_gates(checks), *changes_gates(GATES, checks)] if not gate.passed}
