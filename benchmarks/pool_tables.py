"""The tables of what pools take: an audit, labelling beside the model, and labelling with one, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Figure
from benchmarks.study_tables import page, table
from distill.report import formats

Result = Mapping[str, Any]
_AUDIT_HEAD = ["Rows", "Minutes", "Rows/s", "Memory, GB", "Recall", "Precision", "Leaks found"]
_STORE_HEAD = ["Rows", "Rows/s, median", "Rows/s of processor time, median", "Memory, MB"]
_LABELLING_HEAD = ["Side", "Pairs/s", "Share of the peak", "Largest change of a logit"]
_PEERS = {
    "cross-encoder": "`CrossEncoder.predict`",
    "cross-encoder-bf16": "`CrossEncoder.predict`, bf16",
    "pipeline": "`pipeline`",
}
AUDIT: dict[str, Figure] = {
    "rows": lambda result: f"{_largest(result)['rows']:,}",
    "minutes": lambda result: f"{_largest(result)['seconds'] / 60:.1f} minutes",
    "memory": lambda result: f"{_largest(result)['peak_bytes'] / 1e9:.2f} GB",
    "recall": lambda result: formats.percent(_largest(result)["recall"]),
    "precision": lambda result: formats.percent(_largest(result)["precision"]),
}
STORE: dict[str, Figure] = {
    "rows_per_s": lambda result: f"{result['ratios']['rows_per_s']:,}",
    "of_small": lambda result: formats.times(result["ratios"]["of_small"]),
    "beyond_few": lambda result: f"{result['ratios']['mib_beyond_few']:.0f} MiB",
}
LABELLING: dict[str, Figure] = {
    # Of one of our sides to a peer: how many times as fast.
    "times": lambda result, side, peer: _times(result, side, peer),
    "pairs_per_s": lambda result, side: f"{result['cells'][side]['pairs_per_s']:.0f}",
    "change": lambda result, side: f"{result['cells'][side]['largest_change']:.2g}",
}


def markdown_audit(result: Result) -> str:
    """A page with every pool."""
    text = (
        "Short records, with near duplicates of known Jaccard index, at 0.8 to 0.95, and decoys at 0.6 to 0.78, "
        "through `distill audit` in a process of its own. Recall and precision are of the rows that it drops as near "
        f"duplicates; leaks are test rows whose copies are in the pool. {_machine(result)}"
    )
    return page(result["title"], text, _AUDIT_HEAD, _audited(result))


def markdown_audit_alone(result: Result) -> str:
    """The table of every pool."""
    return table(_AUDIT_HEAD, _audited(result))


def markdown_store(result: Result) -> str:
    """A page with every size of the pool."""
    text = (
        "Records from Parquet through comparing texts, reading, batching by given lengths and writing of shards, as "
        "`distill label` does it, with a model that costs nothing; each pass a process of its own, sizes in turns. "
        f"{_machine(result)}"
    )
    return page(result["title"], text, _STORE_HEAD, _stored(result))


def markdown_store_alone(result: Result) -> str:
    """The table of every size."""
    return table(_STORE_HEAD, _stored(result))


def markdown_labelling(result: Result) -> str:
    """A page with each side and its ratios."""
    text = (
        f"{result['rows']:,} pairs of wdc_products, read as documents, in {result['blocks']} blocks; all sides label "
        f"the same block in each round, tokenisation included, ours writing too, {result['threads']} threads each. A "
        "ratio is the median over rounds with its 95% interval. *Share of the peak*: of what a large product of "
        "matrices reached in the same round, in fp32 the faster one of PyTorch's and ONNX Runtime's. "
        f"{_machine(result)}"
    )
    return page(result["title"], text, *_labelled(result))


def markdown_labelling_alone(result: Result) -> str:
    """The table of each side."""
    return table(*_labelled(result))


def _largest(result: Result) -> Result:
    found: Result = max(result["calls"], key=lambda call: call["rows"])
    return found


def _audited(result: Result) -> list[list[str]]:
    return [
        [
            f"{one['rows']:,}",
            f"{one['seconds'] / 60:.1f}",
            f"{one['rows_per_s']:,.0f}",
            f"{one['peak_bytes'] / 1e9:.2f}",
            f"{one['recall']:.4f}",
            f"{one['precision']:.4f}",
            f"{one['leaks_found']} of {one['leaks_planted']}",
        ]
        for one in result["calls"]
    ]


def _stored(result: Result) -> list[list[str]]:
    return [
        [
            f"{int(rows):,}",
            f"{_middle(found, 'rows_per_s'):,.0f}",
            f"{_middle(found, 'rows_per_cpu_s'):,.0f}",
            f"{max(one['peak_bytes'] for one in found) / 1e6:.0f}",
        ]
        for rows, found in result["passes"].items()
    ]


def _middle(found: Any, key: str) -> float:
    values = sorted(one[key] for one in found)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def _labelled(result: Result) -> tuple[list[str], list[list[str]]]:
    peers = [name for name in _PEERS if name in result["cells"]]
    rows = []
    for side, cell in result["cells"].items():
        own = [f"`{side}`", f"{cell['pairs_per_s']:.1f}", f"{100 * cell['share_of_peak']:.0f}%"]
        over = [_times(result, side, peer) for peer in peers]
        rows.append([*own, f"{cell['largest_change']:.2g}", *over])
    return [*_LABELLING_HEAD, *(f"Over {_PEERS[name]}" for name in peers)], rows


def _times(result: Result, side: str, peer: str) -> str:
    name = f"{side}_vs_{peer}"
    return formats.times_interval(result["ratios"].get(name), result["intervals"].get(name))


def _machine(result: Result) -> str:
    machine = result["environment"]
    flags = ", ".join(machine["cpu_flags"])
    return f"Machine: {machine['cpu']}, {machine['cores']} cores, {flags}, at a load of {machine['load_1min']}."
