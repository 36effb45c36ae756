"""The benchmark of the label store: what it labels, what it makes of its passes, and when it fails."""

from __future__ import annotations

import pytest

from benchmarks import label_store
from benchmarks.label_store import carry_out, measure, require, write_pool
from distill.core.errors import GateFailed
from distill.core.record_store import read_records
from distill.core.soft_labels import read_soft_labels


def test_a_pass_labels_every_row_through_the_step_with_what_the_row_says(tmp_path):
    folder = tmp_path / "300"
    write_pool(folder, 300)
    found = carry_out(folder)
    assert found["rows_per_s"] > 0 and found["rows_per_cpu_s"] > 0 and found["peak_bytes"] > 2**20
    labels, rows = read_soft_labels(folder / "labels"), read_records(folder / "records", "pool.web")
    lengths = [int(row.fields["length"]) for row in rows]
    assert labels.tokens.tolist()[8:] == lengths == labels.logits[8:, 1].tolist() and set(labels.status) == {"ok"}


def test_ratios_are_of_the_medians_and_peaks_of_the_largest_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(label_store, "write_pool", lambda folder, rows: None)
    rates = {"10000": [1], "50000": [100, 140, 120, 900, 110, 120], "500": [60, 10, 90]}

    def passed(folder):
        rate = rates[folder.name].pop(0)
        return {"rows_per_s": rate, "rows_per_cpu_s": 2 * rate, "peak_bytes": (rate + 5) * 2**20}

    monkeypatch.setattr(label_store, "_measured", passed)
    ratios = measure(500, 3, tmp_path)["ratios"]
    assert ratios == {"rows_per_s": 60, "rows_per_cpu_s": 120, "of_small": 0.5, "mib_beyond_few": 89.0}


GOOD = {"rows_per_s": 50_000, "of_small": 0.9, "mib_beyond_few": 300.0}


@pytest.mark.parametrize("change", [{"rows_per_s": 49_999}, {"of_small": 0.89}, {"mib_beyond_few": 300.1}])
def test_each_limit_that_is_not_met_is_named(change):
    require({"ratios": GOOD})
    with pytest.raises(GateFailed, match=next(iter(change))):
        require({"ratios": GOOD | change})
