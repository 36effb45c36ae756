"""A report of many models, classes and slices, with texts that want to be HTML."""

from __future__ import annotations

import copy
from typing import Any

from tests.report.sample import sample_report

PLANTED = '<script>document.title = "run"</script>" onmouseover="document.title = 1'


def large_report(classes: int = 500, models: int = 24) -> dict[str, Any]:
    """As many classes and models."""
    report = sample_report()
    names = [f"{PLANTED if not place else ''}класс {place:04d} с длинным названием" for place in range(classes)]
    report["task"] |= {"labels": names, "positive": None}
    first = report["models"][3]
    block = next(iter(first["quality"]["per_class"].values()))
    for model in report["models"]:
        model["quality"]["per_class"] = {
            name: block | {"f1": round(0.5 + 0.4 * (place * 37 % 101) / 101, 4)} for place, name in enumerate(names)
        }
        model["quality"]["slices"] = {
            f"{PLANTED} {place}": one for place, one in enumerate(model["quality"]["slices"].values())
        }
    extra = [copy.deepcopy(first) | {"name": f"a-student-with-a-long-name-{place}@card"} for place in range(models)]
    report["models"] += extra
    report["audit"]["warnings"].append(PLANTED)
    return report
