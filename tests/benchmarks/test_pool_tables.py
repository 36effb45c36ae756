"""The pages of what pools take, and the figures that sentences about them name."""

from __future__ import annotations

import pytest

from benchmarks.figures import fill
from benchmarks.result_kinds import kind_of

MACHINE = {"cpu": "A processor", "cores": 2, "cpu_flags": ["avx2"], "load_1min": 1.2}


def call(rows, minutes):
    found = {"recall": 0.9997, "precision": 1.0, "leaks_found": 9, "leaks_planted": 10}
    return {"rows": rows, "seconds": 60 * minutes, "rows_per_s": rows / minutes / 60, "peak_bytes": 1.1e9, **found}


def one_pass(rate):
    return {"rows_per_s": rate, "rows_per_cpu_s": 2 * rate, "peak_bytes": 200e6}


RESULTS = {
    "audit": {"calls": [call(1000, 0.1), call(1_000_000, 5)]},
    "label_store": {
        "passes": {"50000": [one_pass(90_000), one_pass(110_000)], "1000000": [one_pass(80_000)]},
        "ratios": {"rows_per_s": 80_000, "of_small": 0.8, "mib_beyond_few": 12.3},
    },
    "labelling_speed": {
        "rows": 3000,
        "blocks": 6,
        "threads": 2,
        "cells": {
            "torch-fp32": {"pairs_per_s": 40.0, "share_of_peak": 0.31, "largest_change": 0.0},
            "cross-encoder": {"pairs_per_s": 20.0, "share_of_peak": 0.15, "largest_change": 3e-6},
        },
        "ratios": {"torch-fp32_vs_cross-encoder": 2.0},
        "intervals": {"torch-fp32_vs_cross-encoder": [1.9, 2.1]},
    },
}


@pytest.mark.parametrize(
    ("kind", "told", "sentence", "filled"),
    [
        ("audit", "| 1,000,000 | 5.0 | 3,333 | 1.10 | 0.9997 | 1.0000 | 9 of 10 |", "{rows}: {minutes}, {recall}",
         "1,000,000: 5.0 minutes, 99.97"),
        ("label_store", "| 50,000 | 100,000 | 200,000 | 200 |", "{rows_per_s}, {of_small}, {beyond_few}",
         "80,000, 0.80×, 12 MiB"),
        ("labelling_speed", "| `torch-fp32` | 40.0 | 31% | 0 | 2.00× (1.90–2.10) |",
         "{times: torch-fp32, cross-encoder} {change: cross-encoder}", "2.00× (1.90–2.10) 3e-06"),
    ],
)  # fmt: skip
def test_each_has_a_page_and_its_figures(kind, told, sentence, filled):
    result = {"kind": kind, "title": "A title", "environment": MACHINE, **RESULTS[kind]}
    shown = kind_of(result)
    page = shown.full(result)
    assert told in page and "A processor, 2 cores, avx2, at a load of 1.2" in page and not shown.chapter
    assert shown.short(result, []) in page and shown.readme(result) in page
    assert fill(sentence, result, shown.figures, "here") == filled
