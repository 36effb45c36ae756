"""How far records have moved from those that a bundle was measured on: scores, labels, lengths, cuts, empty fields.

Shipped next to `runtime.py`, which answers. Needs numpy, nothing else. Histograms and means only: no text is stored.

Each quantity has a value per record. Its reference is how many records fell into each of K cells; a file's records are
counted into the same cells. With p and q the shares of both, half a record added to every cell that either has,

    PSI = Σ (q − p) ln(q / p)    (Jeffreys divergence; Siddiqi 2006, "Credit Risk Scorecards", chapter 10)

Where both are drawn alike, PSI is about Σ (q − p)² / p, whose mean and spread are known: of n and m independent records
PSI / (1/n + 1/m) is χ² with K − 1 degrees of freedom (Yurdakul & Naranjo 2020, "Statistical properties of the
population stability index", J. Risk Model Validation 14 (4)). Records of one product are no independent draws: with V
the covariance of the shares when whole keys are drawn and A = diag(1/p) PSI is about c · χ²(v), where c · v = tr(AV),
c² · v = tr(AVAV) (Satterthwaite 1946; Rao & Scott 1981, "The analysis of categorical data from complex sample surveys",
JASA 76). What chance alone reaches is the quantile 1 − a of that, with a = LEVEL over the number of quantities
(Bonferroni): of files drawn as the reference was, about one in a hundred or fewer has any quantity above. A quantity
has drifted where PSI is above what chance reaches and above the limit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Json = dict[str, Any]
Values = NDArray[Any]  # bool or float64, one value per record
LEVEL = 0.01
LIMIT = 0.1
MOST_CELLS, ROWS_PER_CELL = 10, 20
EXACT = 1e-9  # no count, and no share of a record's tokens, is nearer to another one
_CHUNK_RECORDS = 4096
_BLOCK = 4096  # values of a key at a time


@dataclass(frozen=True)
class Reference:
    """What a bundle stores of the records that it was measured on, for one of its files.

    Attributes: split, rows: which records, and how many. keys: column paths. temperature: that scores were taken at.
        positive: the label scored one-vs-rest. quantities: quantity to `histogram`.
    """

    split: str
    rows: int
    keys: Sequence[str]
    positive: str | None
    temperature: float
    quantities: Mapping[str, Json]

    @classmethod
    def of(cls, content: Mapping[str, Any], artifact: str) -> Reference:
        """What `drift.json` says for an artifact. Raises: KeyError, TypeError, ValueError for other content."""
        own = content["artifacts"][artifact]
        quantities = {**own["quantities"], **content["inputs"]}
        for name, held in quantities.items():
            sizes = [len(held["counts"]) - 1, len(held.get("names", held["counts"])) - 1]
            if sizes != [len(held["edges"])] * 2 or len(held["spread"]) != 2 or sum(held["counts"]) != content["rows"]:
                raise ValueError(f"the cells of '{name}' do not fit each other")
        head = (content["split"], content["rows"], content["keys"], content["positive"])
        return cls(*head, float(own["temperature"]), quantities)


def drift(
    bundle: Any, records: Sequence[Mapping[str, Any]], reference: Reference, rendering: Any, limit: float = LIMIT
) -> Json:
    """How far records have moved from the reference of a bundle: `compare`, with `split`, `of` and `positive`.

    Scores are taken at the temperature of the reference: a new one moves every score, and no record.

    Args: bundle: `runtime.Bundle`. rendering: the module next to it. Raises: as `Bundle.predict`; ValueError without
        records, and for a limit that is none.
    """
    if not records:
        raise ValueError("no records: nothing to compare")
    if not 0 <= limit < math.inf:
        raise ValueError(f"limit {limit}: a number from 0 on is needed")
    unknown, fields = unknown_token(bundle.renderer.tokenizer), [*bundle.before["left"], *bundle.before["right"]]
    parts = []
    for start in range(0, len(records), _CHUNK_RECORDS):
        chunk = records[start : start + _CHUNK_RECORDS]
        parts.append(input_values(chunk, bundle.encode(chunk, start), fields, rendering.field_text, unknown))
    values = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    logits, several = bundle.logits(records), bundle.after["kind"] == "multi"
    decided = logits >= 0 if several else logits == logits.max(axis=1, keepdims=True)
    after = {**bundle.after, "temperature": {bundle.precision: reference.temperature}}
    chances = replace(bundle, after=after).probabilities(logits)
    values |= score_values(chances, decided, bundle.labels, several)
    found = compare(reference.quantities, values, _known_keys(records, reference.keys, rendering.name_at), limit)
    return {**found, "split": reference.split, "of": reference.rows, "positive": reference.positive}


def input_values(
    records: Sequence[Mapping[str, Any]], encoded: Sequence[Any], fields: Sequence[str], text: Any, unknown: int | None
) -> dict[str, Values]:
    """What records are before the model reads them: quantity to one value per record, bool or float64 (N,).

    Args: encoded: of each record, `rendering.Encoded`. fields: of the view. text: `rendering.field_text`. unknown: id
        of the tokenizer's unknown token; None where it has none.
    """
    found = {
        "tokens": np.array([one.tokens for one in encoded], np.float64),
        "cut": np.array([one.cut_tokens > 0 for one in encoded], bool),
    }
    if unknown is not None:
        found["unknown tokens"] = np.array([_share_of(unknown, one) for one in encoded], np.float64)
    for path in fields:
        found[f"empty {path}"] = np.array([not text(record, path) for record in records], bool)
    return found


def score_values(
    chances: NDArray[Any], decided: NDArray[Any], labels: Sequence[str], several: bool
) -> dict[str, Values]:
    """What the model says of records: quantity to one value per record, bool or float64 (N,).

    Args: chances: probabilities (N, C). decided: bool (N, C), the labels given. several: whether a record may have any
        number of labels.
    """
    found: dict[str, Values] = {}
    if several:
        found |= {f"label {name}": decided[:, i] for i, name in enumerate(labels)}
    else:
        found["label"] = decided.argmax(axis=1).astype(np.float64)
    return found | {f"score {name}": chances[:, i].astype(np.float64) for i, name in enumerate(labels)}


def unknown_token(tokenizer: Any) -> int | None:
    """The id of the unknown token of a `tokenizers.Tokenizer`; None where every text has tokens of its own."""
    model = json.loads(tokenizer.to_str())["model"]
    token = model.get("unk_token")
    found: int | None = model.get("unk_id") if token is None else tokenizer.token_to_id(token)
    return found


def histogram(
    values: Values, clusters: Sequence[Sequence[str]], names: Sequence[str] = (), off: float | Values = EXACT
) -> Json:
    """The reference of a quantity: `edges` of its cells, `counts`, `mean`, `spread`, and of named cells `names`.

    A record is in the first cell whose edge is not below its value, or in the last one. Edges part the records into
    equal shares; a value of many records is a cell of its own, so that a move to either side of it shows.

    Args: values: (N,). clusters: of each key the key's value per record. names: of cells 0, 1, … where values count
        them. off: how far a value may be off where the same record is measured again, (N,) or one number: edges keep
        away from values by that, so that records which read alike do not change cells together.
    """
    edges = _edges(values, off) if not names else np.arange(len(names) - 1, dtype=np.float64)
    cells = np.searchsorted(edges, values)
    found = {
        "edges": edges.tolist(),
        "counts": np.bincount(cells, minlength=len(edges) + 1).tolist(),
        "mean": float(values.mean()),
        "spread": _spread(cells, clusters, len(edges) + 1),
    }
    return {**found, "names": list(names)} if names else found


def compare(
    reference: Mapping[str, Json], values: Mapping[str, Values], clusters: Sequence[Sequence[str]], limit: float = LIMIT
) -> Json:
    """The records of a file against the reference, quantity by quantity.

    Args: reference: quantity to `histogram`. values: of the file's M records. clusters: as in `histogram`; a file
        without keys is taken to be as clustered as the reference. limit: least PSI that counts.
    Returns: `{"rows", "limit", "quantities": [{"name", "reference", "here", "psi", "chance", "drifted"}], "drifted":
        [name], "passed"}`; reference and here are means, or of named cells the share of the one that moved most.
    """
    level = LEVEL / len(reference)
    rows = [_compared(name, held, values[name], clusters, (limit, level)) for name, held in reference.items()]
    drifted = [row["name"] for row in rows if row["drifted"]]
    count = len(next(iter(values.values())))
    return {"rows": count, "limit": limit, "quantities": rows, "drifted": drifted, "passed": not drifted}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What `drift` found, for people."""
    positive = f"score {found['positive']}"
    table: list[tuple[str, ...]] = [
        ("quantity", f"{found['split']} ({found['of']})", f"here ({found['rows']})", "PSI", "by chance", "")
    ]
    for row in found["quantities"]:
        name = f"{row['name']} (positive)" if row["name"] == positive else row["name"]
        cell = f"{name}: {row['cell']}" if "cell" in row else name
        figures = [f"{row[key]:.4g}" for key in ("reference", "here")] + [
            f"{row[key]:.3f}" for key in ("psi", "chance")
        ]
        table.append((cell, *figures, "DRIFTED" if row["drifted"] else ""))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    told = ", ".join(found["drifted"]) or "nothing"
    yield f"drifted: {told} (PSI above {found['limit']:g} and above what chance brings)"


def psi(reference: NDArray[Any], here: NDArray[Any]) -> tuple[float, int]:
    """PSI of two counts of cells, and how many cells either of them has."""
    held = (reference + here) > 0
    p, q = (_smooth(counts[held]) for counts in (reference, here))
    return float(((q - p) * np.log(q / p)).sum()), int(held.sum())


def chi_square_quantile(share: float, degrees: float) -> float:
    """About the value that chi-square of so many degrees of freedom exceeds with this probability.

    v (1 − 2/(9v) + z √(2/(9v)))³, within 1% at the level 0.01, at smaller ones up to 8% too large: fewer alarms.
    Source: Wilson & Hilferty 1931, "The distribution of chi-square", PNAS 17.
    """
    from statistics import NormalDist  # here, as a bundle that only predicts need not wait for it

    part = 2 / (9 * degrees)
    return degrees * (1 - part + NormalDist().inv_cdf(1 - share) * math.sqrt(part)) ** 3


def _known_keys(records: Sequence[Mapping[str, Any]], keys: Sequence[str], name_at: Any) -> list[list[str]]:
    """Of each key that some record has, its value per record; a record without one is alone with its own."""
    found = [[name_at(record, key) for record in records] for key in keys]
    return [
        [f"record {place}" if value is None else f"={value}" for place, value in enumerate(column)]
        for column in found
        if any(value is not None for value in column)
    ]


def _share_of(token: int, encoded: Any) -> float:
    """The share of a token among those that the model reads of a record."""
    ids = [one for window in encoded.windows for one in window.ids]
    return ids.count(token) / max(1, len(ids))


def _compared(
    name: str, held: Json, values: Values, clusters: Sequence[Sequence[str]], bounds: tuple[float, float]
) -> Json:
    """One quantity. Args: bounds: the limit, and the probability that chance reaches what it is given."""
    counts, cells = np.array(held["counts"]), np.searchsorted(held["edges"], values)
    here = np.bincount(cells, minlength=len(counts))
    found, used = psi(counts, here)
    there = np.array(held["spread"])
    own = np.array(_spread(cells, clusters, len(counts))) if clusters else there * counts.sum() / len(values)
    chance = _by_chance(_at_least(there, used, counts.sum()) + _at_least(own, used, len(values)), bounds[1])
    told = {"psi": found, "chance": chance, "drifted": found > max(bounds[0], chance)}
    if "names" not in held:
        return {"name": name, "reference": held["mean"], "here": float(values.mean()), **told}
    p, q = counts / counts.sum(), here / len(values)
    most = int(np.abs(q - p).argmax())
    return {"name": name, "cell": held["names"][most], "reference": float(p[most]), "here": float(q[most]), **told}


def _at_least(spread: NDArray[Any], used: int, rows: int) -> Values:
    """A spread, at least that of independent records over the cells that either side has."""
    return np.maximum(spread, np.array([used - 1, math.sqrt(used - 1)]) / rows)


def _by_chance(spread: Values, level: float) -> float:
    """The PSI that c · χ²(v) exceeds at the level. Args: spread: tr(AV) and √tr(AVAV)."""
    mean, root = map(float, spread)
    return root**2 / mean * chi_square_quantile(level, (mean / root) ** 2) if root else 0.0


def _smooth(counts: NDArray[Any]) -> Values:
    return np.asarray((counts + 0.5) / (counts + 0.5).sum(), np.float64)


def _edges(values: Values, off: float | Values) -> Values:
    """Edges of at most 10 cells of about equal shares, none of under 20 records but for values that many share.

    An edge is above the last value of a share, twice as far as that may be off, or midway to the last value of the next
    share. Values nearer than that are one. Of bool values the two cells are no and yes.
    """
    if values.dtype == bool:
        return np.array([0.0])
    cells = min(MOST_CELLS, max(2, len(values) // ROWS_PER_CELL))
    ranked = np.argsort(values)
    places = ranked[np.maximum([len(values) * cell // cells - 1 for cell in range(1, cells)], 0)]
    apart = _apart(values[places], 2 * np.broadcast_to(off, values.shape)[places])
    last, reach = np.array(apart).T
    middle = (last[:-1] + last[1:]) / 2
    above = np.minimum(last + reach, np.append(middle, np.inf))
    below = np.maximum(last - reach, np.append(-np.inf, middle))
    shares = [np.count_nonzero(np.abs(values - value) <= far) * cells >= len(values) for value, far in apart]
    return np.unique([*above, *below[shares]])


def _apart(values: Values, reach: Values) -> list[tuple[float, float]]:
    """Of ascending values those that are not within reach of the one before, with their reach."""
    found: list[tuple[float, float]] = []
    for value, far in zip(values.tolist(), reach.tolist(), strict=True):
        if not found or value - found[-1][0] > far:
            found.append((value, far))
    return found


def _spread(cells: NDArray[Any], clusters: Sequence[Sequence[str]], count: int) -> list[float]:
    """tr(AV) and √tr(AVAV) of the cells' shares, for the key where the first is largest, or independent records.

    V = C / (C − 1) / N² · Σ (n_k − p n)(n_k − p n)ᵀ over the C values of a key: n_k its records by cell, n their sum.
    """
    rows = len(cells)
    shares = np.bincount(cells, minlength=count) / rows
    used = np.flatnonzero(shares > 0)
    found = [(len(used) - 1) / rows, math.sqrt(len(used) - 1) / rows]
    for key in clusters:
        groups = np.unique(np.asarray(key, dtype=str), return_inverse=True)[1]
        number = int(groups.max(initial=0)) + 1
        if number < 2:
            continue
        total = np.zeros((count, count))
        for start in range(0, number, _BLOCK):
            inside = (groups >= start) & (groups < start + _BLOCK)
            sums = np.zeros((min(_BLOCK, number - start), count))
            np.add.at(sums, (groups[inside] - start, cells[inside]), 1)
            sums -= sums.sum(axis=1, keepdims=True) * shares
            total += sums.T @ sums
        root = np.sqrt(shares[used])
        scaled = number / (number - 1) / rows**2 * total[np.ix_(used, used)] / root / root[:, None]
        found = max(found, [float(np.trace(scaled)), float(np.linalg.norm(scaled))])
    return found
