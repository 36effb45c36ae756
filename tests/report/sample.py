"""A report as a run on product cards would write it: two tests, four slices, two students, one exported twice.

`6L_trunc` has no gold-only twins; those of `8L_trunc` are its own length and until they had learned.
"""

from __future__ import annotations

from typing import Any

LABELS = ["не о товаре", "упоминание", "о товаре"]
SLICES = ["старый пул", "стройка и ремонт", "электроника", "аптека"]
TESTS = ["unseen", "seen"]

# name: role, preset, view, layers, parameters, F1 of the positive class, retention of the card teacher
_MODELS: dict[str, tuple[str, str, str, int, int, float, float | None]] = {
    "base@document": ("teacher", "base", "document", 12, 110_890_755, 0.7923, None),
    "base@card": ("teacher", "base", "card", 12, 110_890_755, 0.7712, None),
    "base@document>card": ("teacher", "base", "card", 12, 110_890_755, 0.7398, 0.958),
    "8L_trunc@card": ("student", "8L_trunc", "card", 8, 82_540_803, 0.7616, 0.981),
    "6L_trunc@card": ("student", "6L_trunc", "card", 6, 68_365_827, 0.7575, 0.972),
    "8L_trunc-gold@card": ("baseline", "8L_trunc", "card", 8, 82_540_803, 0.7304, 0.941),
    "8L_trunc-gold-steps@card": ("baseline", "8L_trunc", "card", 8, 82_540_803, 0.7321, 0.943),
    "8L_trunc@card.onnx": ("artifact", "8L_trunc", "card", 8, 82_540_803, 0.7616, 0.981),
    "8L_trunc@card.onnx-int8": ("artifact", "8L_trunc", "card", 8, 82_540_803, 0.7588, 0.971),
}

MAJORITY_FIGURES = {"accuracy": 0.4612, "f1_macro": 0.2104, "log_loss": 1.0217}
TWIN = "8L_trunc-gold@card"

# model: runtime, precision, tokens, p50, p95, p99, tokenise, rows per second, speed-ups
_LATENCY: dict[str, tuple[str, str, int, float, float, float | None, float, float, float, float]] = {
    "base@document": ("pytorch", "fp32", 231, 187.4, 236.0, 251.3, 0.91, 5.3, 1.0, 0.62),
    "base@card": ("pytorch", "fp32", 58, 79.2, 96.1, 108.0, 0.35, 12.6, 2.37, 1.47),
    "8L_trunc@card": ("pytorch", "fp32", 58, 53.8, 61.7, 70.2, 0.35, 18.6, 3.48, 2.16),
    "6L_trunc@card": ("pytorch", "fp32", 58, 41.0, 47.9, None, 0.35, 24.4, 4.57, 2.83),
    "8L_trunc-gold@card": ("pytorch", "fp32", 58, 53.9, 61.9, 70.9, 0.35, 18.5, 3.48, 2.15),
    "8L_trunc@card.onnx": ("onnxruntime", "fp32", 58, 38.1, 44.5, 49.8, 0.35, 26.2, 4.92, 3.05),
    "8L_trunc@card.onnx-int8": ("onnxruntime", "int8", 58, 14.2, 16.9, 19.1, 0.35, 70.4, 13.2, 8.18),
}


def sample_report() -> dict[str, Any]:
    """A new dictionary in the schema of report.json; tests may change it freely."""
    return {
        "schema": 1,
        "task": {
            "labels": list(LABELS),
            "positive": LABELS[2],
            "rows": {"train": 41_270, "valid": 5_140, "test": 10_322},
        },
        "tests": list(TESTS),
        "metric": "f1_macro",
        "models": [*(_model(name) for name in _MODELS), _majority()],
        "twins": {"8L_trunc@card": {"best": TWIN, "other": ["8L_trunc-gold-steps@card"]}},
        "choice": _choice(),
        "asked_twins": _asked_twins(),
        "training_history": _training(),
        "comparisons": _comparisons(),
        "latency": [_latency(name) for name in _LATENCY],
        "parity": [
            {
                "name": "8L_trunc",
                "target": "onnx",
                "max_abs_diff": 6.1e-07,
                "label_flips": 0,
                "rows": 2048,
                "passed": True,
            },
            {
                "name": "8L_trunc",
                "target": "onnx-int8",
                "max_abs_diff": 0.183,
                "label_flips": 12,
                "rows": 2048,
                "passed": True,
            },
        ],
        "gates": [
            {"name": "leak", "required": 0, "measured": 0, "passed": True},
            {"name": "parity_fp32", "required": 1.0e-4, "measured": 6.1e-07, "passed": True},
            {"name": "int8_flips", "required": 0.01, "measured": 0.00586, "passed": True},
            {"name": "retention.card 8L_trunc@card", "required": 0.95, "measured": 0.958, "passed": True},
            {"name": "over_gold 8L_trunc@card", "required": -0.01, "measured": 0.0201, "passed": True},
        ],
        "gates_off": [],
        "stages": _stages(),
        "environment": {
            "cpu": "2 × Zen 4 at 3.0 GHz (AVX512-VNNI)",
            "threads": 2,
            "python": "3.11.9",
            "system": "Linux",
            "packages": {"torch": "2.13.0", "transformers": "5.23.0", "onnxruntime": "1.31.0", "tokenizers": "0.23.1"},
            "command": "distill --config товары.yaml --teacher base --student 8L_trunc",
            "seed": 1,
        },
        "audit": _audit(),
    }


def figure(value: float, spread: float = 0.0125) -> dict[str, float]:
    """A figure with a symmetric interval."""
    return {"value": round(value, 4), "low": round(value - spread, 4), "high": round(value + spread, 4)}


def _model(name: str) -> dict[str, Any]:
    role, preset, view, layers, parameters, f1, kept = _MODELS[name]
    retention = None if kept is None else {"card": figure(kept), "document": figure(kept - 0.026, 0.014)}
    tests = {"unseen": _quality(f1 - 0.021, 5_090), "seen": _quality(f1 + 0.020, 5_232)}
    return {
        "name": name,
        "role": role,
        "preset": preset,
        "view": view,
        "layers": layers,
        "parameters": parameters,
        "quality": _quality(f1, 10_322),
        "tests": tests,
        "valid": {"log_loss": round(1.3 - f1 + (0.01 if "steps" in name else 0), 4)},
        "retention": retention,
        "over_majority": _over_majority(f1),
        "over_gold": _over_gold(f1) if name.startswith("8L_trunc@") else None,
    }


def _over_majority(f1: float) -> dict[str, Any]:
    figures = {"accuracy": f1 - 0.004, "f1_macro": f1 - 0.011, "log_loss": 1.32 - f1}
    return {metric: _apart(value - MAJORITY_FIGURES[metric], 0.02) for metric, value in figures.items()}


def _over_gold(f1: float) -> dict[str, Any]:
    return {"twin": TWIN, "metric": "f1_macro", **_apart(f1 - _MODELS[TWIN][5], 0.011)}


def _apart(difference: float, spread: float) -> dict[str, float]:
    low, high = difference - spread, difference + spread
    return {"difference": round(difference, 4), "low": round(low, 4), "high": round(high, 4)}


def _majority() -> dict[str, Any]:
    shares = dict(zip(LABELS, (1.0, 0.0, 0.0), strict=True))
    block = {
        "rows": 10_322,
        **{metric: figure(value, 0.01) for metric, value in MAJORITY_FIGURES.items()},
        "ece": figure(0.012, 0.006),
        "per_class": {
            label: {"precision": 0.4612 * one, "recall": one, "f1": 0.6313 * one} for label, one in shares.items()
        },
        "positive": {"operating_points": {}},
        "slices": {
            name: {"rows": 400 * (index + 2), "accuracy": figure(0.46, 0.02)} for index, name in enumerate(SLICES)
        },
    }
    return {
        "name": "majority",
        "role": "baseline",
        "preset": "",
        "view": "",
        "layers": None,
        "parameters": None,
        "quality": block,
        "tests": {"unseen": block | {"rows": 5_090}, "seen": block | {"rows": 5_232}},
        "valid": {"log_loss": 1.0198},
        "retention": None,
        "over_majority": None,
        "over_gold": None,
    }


def _choice() -> dict[str, Any]:
    losses = {"document": 0.5021, "card": 0.5288, "mean": 0.5104}
    candidates = [
        {
            "name": name,
            "log_loss": figure(loss, 0.02),
            "accuracy": figure(1.292 - loss, 0.013),
            "f1_macro": figure(1.285 - loss, 0.013),
            "over_priors": _apart(loss - 1.0198, 0.02),
        }
        for name, loss in losses.items()
    ]
    return {
        "asked": "auto",
        "taken": "document",
        "teachers": {"base@document": 1.0},
        "why": "the document teacher has the lowest log loss on validation",
        "candidates": candidates,
        "differences": [_comparison("base@document", "base@card", "log_loss", -0.0267, -0.0401, -0.0133, 0.001)],
        "worse_classes": [
            {"class": LABELS[1], "a": "base@document", "b": "base@card", **_apart(-0.041, 0.022)},
        ],
        "rows": 5_140,
    }


def _asked_twins() -> dict[str, Any]:
    gaps = {"accuracy": 0.031, "f1_macro": 0.034, "log_loss": -0.0412}
    rows = [{"a": "document", "b": TWIN, "metric": name, **_apart(gap, 0.019)} for name, gap in gaps.items()]
    return {"labels": "document", "rows": 5_140, "comparisons": rows}


def _training() -> list[dict[str, Any]]:
    converged = "converged: no lower log loss in 4 evaluations"
    return [
        _fit("base@document", "converged", converged, -0.001),
        _fit("base@card", "ceiling", "undertrained: still falling 4.0% per epoch at the ceiling of 9000 steps", -0.04),
        _fit("8L_trunc@card", "converged", converged, 0.0),
        _fit(TWIN, "converged", converged, None),
    ]


def _fit(model: str, ended: str, reason: str, slope: float | None) -> dict[str, Any]:
    losses = [0.91, 0.72, 0.61, 0.56, 0.53, 0.52, 0.5213, 0.5249, 0.53]
    history = [
        {"epoch": 0.5 * (index + 1), "step": 1000 * (index + 1), "log_loss": loss, "accuracy": 1.2 - loss}
        for index, loss in enumerate(losses)
    ]
    fit = {"model": model, "steps": 9000, "step": 6000, "epochs": 4.5, "ended": ended, "reason": reason}
    return fit | {"slope_per_epoch": slope, "log_loss": 0.52, "history": history}


def _quality(f1: float, rows: int) -> dict[str, Any]:
    offsets = {LABELS[0]: 0.0675, LABELS[1]: -0.0595}
    return {
        "rows": rows,
        "accuracy": figure(f1 - 0.004, 0.0131),
        "f1_macro": figure(f1 - 0.011, 0.0118),
        "log_loss": figure(1.32 - f1, 0.02),
        "ece": figure(0.031, 0.006),
        "per_class": {**{label: _class(f1 + offset) for label, offset in offsets.items()}, LABELS[2]: _positive(f1)},
        "positive": {"operating_points": _points(f1)},
        "slices": {
            name: {"rows": 400 * (index + 2), "accuracy": figure(f1 - 0.03 + 0.021 * index, 0.02)}
            for index, name in enumerate(SLICES)
        },
    }


def _class(f1: float) -> dict[str, float]:
    return {"precision": round(f1 - 0.013, 4), "recall": round(f1 + 0.014, 4), "f1": round(f1, 4)}


def _positive(f1: float) -> dict[str, Any]:
    figures = {"accuracy": f1 + 0.0594, "precision": f1 - 0.0284, "recall": f1 + 0.0307, "f1": f1}
    interval = [round(f1 - 0.0126, 4), round(f1 + 0.0124, 4)]
    return {**{key: round(value, 4) for key, value in figures.items()}, "f1_interval": interval}


def _points(f1: float) -> dict[str, Any]:
    best = {"threshold": 0.412, "accuracy": f1 + 0.0594, "precision": f1 - 0.0284, "recall": f1 + 0.0307, "f1": f1}
    wide = {"threshold": 0.195, "accuracy": f1 + 0.012, "precision": f1 - 0.12, "recall": 0.9007, "f1": f1 - 0.022}
    return {
        "f1": {key: round(value, 4) for key, value in best.items()}
        | {"f1_interval": [round(f1 - 0.0126, 4), round(f1 + 0.0124, 4)]},
        "precision@R>=0.9": {key: round(value, 4) for key, value in wide.items()},
        "recall@P>=0.9": None,
    }


def _latency(name: str) -> dict[str, Any]:
    runtime, precision, tokens, p50, p95, p99, tokenise, rate, slow, fast = _LATENCY[name]
    return {
        "model": name,
        "view": "document" if "document" in name else "card",
        "runtime": runtime,
        "precision": precision,
        "threads": 2,
        "batch": 1,
        "tokens": tokens,
        "samples": 2000,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "tokenise_ms": tokenise,
        "throughput_per_s": rate,
        "speedup_vs_teacher": slow,
        "speedup_low": round(0.97 * slow, 2),
        "speedup_high": round(1.03 * slow, 2),
        "speedup_vs_best_teacher": fast,
        **({"layouts": _layouts(rate)} if name.endswith(".onnx-int8") else {}),
    }


def _layouts(rate: float) -> list[dict[str, Any]]:
    """The fastest first, two threads in all."""
    one = {"kind": "one session, one record at a time", "sessions": 1, "threads": 2, "batch": 1}
    apart = {"kind": "a session for each thread, one record at a time", "sessions": 2, "threads": 1, "batch": 1}
    return [
        {**apart, "per_s": rate, "ratio": 1.31, "low": 1.27, "high": 1.36},
        {**one, "per_s": rate / 1.31, "ratio": 1.0, "low": 1.0, "high": 1.0},
    ]


def _comparisons() -> list[dict[str, Any]]:
    return [
        _comparison("8L_trunc@card", "8L_trunc-gold@card", "f1_macro", 0.0312, 0.0201, 0.0424, 0.0002),
        _comparison("8L_trunc@card", "base@card", "f1_macro", -0.0096, -0.0191, 0.0003, 0.061),
        _comparison("8L_trunc@card", "base@document>card", "f1_macro", 0.0218, 0.0101, 0.0334, 0.0004),
        _comparison("8L_trunc@card.onnx-int8", "8L_trunc@card", "log_loss", 0.0041, 0.0012, 0.0071, 0.004),
    ]


def _comparison(a: str, b: str, metric: str, difference: float, low: float, high: float, p: float) -> dict[str, Any]:
    return {"a": a, "b": b, "metric": metric, "difference": difference, "low": low, "high": high, "p_value": p}


def _stages() -> list[dict[str, Any]]:
    seconds = {
        "audit": 21.4,
        "teach base": 8120.0,
        "label base": 1264.2,
        "train 8L_trunc": 2411.9,
        "evaluate": 188.0,
        "export 8L_trunc": 74.6,
        "bench": 640.2,
        "bundle": 6.1,
        "report": 0.42,
    }
    return [
        {"name": name, "seconds": value, "status": "skipped" if name == "audit" else "done"}
        for name, value in seconds.items()
    ]


def _audit() -> dict[str, Any]:
    document = {"q10": 88, "q25": 141, "q50": 214, "q75": 256, "q90": 256, "q95": 256, "q99": 256, "max": 256}
    card = {"q10": 31, "q25": 43, "q50": 54, "q75": 61, "q90": 64, "q95": 64, "q99": 64, "max": 64}
    counts = {
        "document": [4, 31, 122, 410, 903, 1480, 2204, 2987, 3650, 4106, 4388, 4420, 4230, 3977, 3702, 9804],
        "card": [0, 6, 58, 214, 702, 1604, 2889, 4120, 5240, 5980, 6301, 6120, 5402, 4010, 2707, 6540],
    }
    return {
        "rows": {"read": 57_120, "kept": 56_732, "dropped": {"duplicate": 301, "too short": 62, "unknown label": 25}},
        "tokens": {
            "document": {"train": document, "test": document | {"q50": 219}},
            "card": {"train": card, "test": card},
        },
        "histograms": {
            "document": {"edges": [16 * index for index in range(17)], "counts": counts["document"]},
            "card": {"edges": [4 * index for index in range(17)], "counts": counts["card"]},
        },
        "leaks": [{"key": "product.id", "from": "train", "into": "test", "values": 0, "rows": 0}],
        "warnings": ["14% of rows render the same text in both views", "slice «аптека»: 2.1% of train rows"],
    }
