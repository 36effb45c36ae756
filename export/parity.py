"""How far an exported file is from the PyTorch model: on real records and over a grid of batch and length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from distill.core.errors import UserError
from distill.core.files import Json, read_json
from distill.core.objectives.objective import of_problem_type
from distill.core.rendering import Renderer, Window, field_text
from distill.evaluation.changed_answers import Points, Reading, changed_answers, choose_points
from distill.families.family import Opening, as_served, open_windows
from distill.inference.collate import Batch
from distill.inference.runner import Runner
from distill.inference.runner_scorer import RunnerScorer
from distill.inference.scorer import Logits, Row
from distill.inference.token_budget import NO_LIMIT
from export.evidence import Evidence, Sample
from export.targets.base import Target
from export.verify import cpu_class

# One row as served, small even and odd ones, a large one: sizes at which kernels and broadcasts take other paths.
_BATCHES = (1, 2, 7, 8, 32)
_SERVED, _LARGE = _BATCHES[0], _BATCHES[-1]


class Original:
    """The PyTorch model, untouched by any rewriting, with its answers to real records.

    Args: model_folder: with its view. sample: real records, never those of a test split. limit: read at most so many
        of them, evenly spread. evidence: what else is known of the task.
    Attributes: scorer: the model opened. logits: float32 (N, K). objective: by the model's config.json.
    Raises: UserError without rows, and for a family that reads no windows of tokens.
    """

    def __init__(self, model_folder: Path, sample: Sample, limit: int, evidence: Evidence | None = None) -> None:
        if not sample.rows:
            raise UserError("parity needs real records", where=str(model_folder), do="give the project validation data")
        sample = sample.spread(limit)
        self.name, self._folder = model_folder.name, model_folder
        self.rows, self._gold = sample.rows, sample.gold
        self.scorer = open_windows(model_folder, Opening(rewritten=False))
        config = read_json(model_folder / "config.json")
        names = config["id2label"]
        self._labels = (evidence.labels if evidence else ()) or [names[key] for key in sorted(names, key=int)]
        self._rules = evidence.rules if evidence else None
        self.objective = of_problem_type(config.get("problem_type"), len(names))
        self.logits = as_served(self.scorer, model_folder).score(self.rows).logits

    def answers(self, runner: Runner, batch: int) -> Logits:
        """Another runner's logits (N, C) for the same records, read `batch` windows at a time."""
        return self._asked(runner, self.rows, batch)

    def read(self, runner: Runner, rows: Sequence[Row]) -> None:
        """Let a runner answer other records, one window at a time, as it is served."""
        self._asked(runner, rows, _SERVED)

    def _asked(self, runner: Runner, rows: Sequence[Row], batch: int) -> Logits:
        """A runner's logits. Raises: UserError when it refuses a record, which a target that is made by reading them
        cannot do without.
        """
        reader = RunnerScorer(runner, self.scorer.renderer, batch_tokens=NO_LIMIT, max_rows=batch)
        try:
            return as_served(reader, self._folder).score(rows).logits
        except UserError:
            raise
        except Exception as error:  # the runtime's errors share no base but Exception
            raise UserError(
                "an exported file does not answer a real record",
                where=str(self._folder),
                found=str(error).partition("\n")[0],
                do="see the parity of the target that it is made from; export that one alone to see its gates",
            ) from error

    @cached_property
    def points(self) -> Points:
        """The temperature and operating points that these records choose; none without gold or rules."""
        if self._gold is None or self._rules is None:
            return Points(1.0, [])
        return choose_points(self.logits, self._gold, self.objective, self._rules)

    def flips(self, logits: Logits) -> float:
        """Share of records whose predicted label differs; an answer that is not finite counts as another label."""
        here, there = logits.astype(np.float64), self.logits.astype(np.float64)
        changed = (self.objective.decisions(here) != self.objective.decisions(there)).any(axis=1)
        return float((changed | ~np.isfinite(logits).all(axis=1)).mean())

    def changes(self, logits: Logits, points: Points | None = None) -> Json:
        """What other logits (N, K) change of the answers, see `changed_answers`.

        Args: points: where they are read; None: as these records choose.
        """
        how = Reading(self.objective, self._labels, points or self.points, self._gold)
        return changed_answers(self.logits, logits, how)

    def changes_of(self, runner: Runner) -> Json:
        """What another runner changes of the answers, one record at a time, as it is served."""
        return self.changes(self.answers(runner, _SERVED))


def measure(original: Original, exported: Runner, target: Target, points: Points | None = None) -> Json:
    """The content of `parity.json`: figures, and by `criterion` which of them is to be judged; no judgement.

    `parity` and `tolerance` look at `max_abs_diff`, the largest difference of a logit on any record or cell of the
    grid, the one by a limit for all files, the other by the target's own; `decisions` at `label_flips`, the share of
    records whose label changes, read as they are served: in large batches where those are promised to change nothing,
    else one at a time, where `label_flips_large` and `batch_shift` tell what larger batches would do. `finite` is false
    when an answer is NaN, infinite, of another shape or refused. `changes` of a file that is not judged by parity: see
    `changed_answers`.

    Args: points: where both are read for `changes`, chosen on other records; None: those that the same records choose.
    """
    runner = _Forgiving(exported, original.logits.shape[1])
    served, large = original.answers(runner, _SERVED), original.answers(runner, _LARGE)
    judged = large if target.batch_invariant else served
    grid = _grid(original, runner)
    difference = np.abs(served.astype(np.float64) - original.logits)
    probabilities = original.objective.probabilities
    shift = np.abs(probabilities(judged) - probabilities(original.logits))
    # np.max, unlike max, lets NaN through.
    largest = float(np.max([difference.max(), *(cell["max_abs_diff"] for cell in grid)]))
    finite = bool(np.isfinite(largest) and np.isfinite(large).all())
    return _without_nan(
        {
            "name": original.name,
            "target": target.name,
            "precision": target.precision,
            "criterion": target.criterion,
            "finite": finite,
            "error": runner.error,
            "max_abs_diff": largest,
            "mean_abs_diff": float(difference.mean()),
            "max_probability_shift": float(shift.max()),
            "label_flips": original.flips(judged),
            "label_flips_large": original.flips(large),
            "batch_shift": float(np.abs(served - large).max()),
            "rows": len(original.rows),
            "batches": {"served": _SERVED, "large": _LARGE},
            "grid": grid,
            "cpu": cpu_class(),
            **({"changes": original.changes(judged, points)} if target.criterion != "parity" else {}),
        }
    )


class _Forgiving:
    """A runner that answers NaN where the one inside refuses a batch or gives another shape, and keeps the reason."""

    def __init__(self, inner: Runner, head_size: int) -> None:
        self.inner, self.head_size = inner, head_size
        self.error: str | None = None

    def logits(self, batch: Batch) -> Logits:
        shape = (batch["input_ids"].shape[0], self.head_size)
        try:
            logits = self.inner.logits(batch)
        except Exception as error:  # the runtime's errors share no base but Exception
            return self._refused(str(error).partition("\n")[0], shape)
        if logits.shape != shape:
            return self._refused(f"logits of shape {logits.shape}, expected {shape}", shape)
        return logits

    def _refused(self, reason: str, shape: tuple[int, int]) -> Logits:
        self.error = self.error or f"batch of {shape[0]}: {reason}"
        return np.full(shape, np.nan, np.float32)


def _grid(original: Original, runner: Runner) -> list[Json]:
    """Largest logit difference for each batch size and length: the empty text's, an odd one, up to the view's most.

    A batch holds the rows of that length and the next shorter ones, so padding is tried along with the shape.
    """
    windows = _windows(original.scorer.renderer, original.rows)
    exported, cells = RunnerScorer(runner, original.scorer.renderer), []
    for tokens in _lengths(windows):
        fitting = [window for window in windows if len(window.ids) <= tokens]
        for size in _BATCHES:
            batch = list(islice(cycle(fitting), size))
            difference = np.abs(exported.window_logits(batch).astype(np.float64) - original.scorer.window_logits(batch))
            cells.append({"batch": size, "tokens": tokens, "max_abs_diff": float(difference.max())})
    return cells


def _windows(renderer: Renderer, rows: Sequence[Row]) -> list[Window]:
    """Windows of the rows, of a record without text and of one too long for the view; the longest first."""
    fields = [*renderer.left, *renderer.right]
    words = " ".join(field_text(row, field) for row in rows for field in fields).split() or ["0"]
    long = " ".join(islice(cycle(words), renderer.room + 1))
    records = [*rows, dict.fromkeys(fields, ""), dict.fromkeys(fields, long)]
    windows = [window for encoded in renderer.encode_batch(records) for window in encoded.windows]
    return sorted(windows, key=lambda window: -len(window.ids))


def _lengths(windows: Sequence[Window]) -> list[int]:
    """Lengths that occur: shortest, odd nearest to the median, next to longest, longest; each once."""
    lengths = sorted({len(window.ids) for window in windows})
    middle = len(windows[len(windows) // 2].ids)
    odd = min((length for length in lengths if length % 2), key=lambda length: abs(length - middle), default=middle)
    return sorted({lengths[0], odd, lengths[-2:][0], lengths[-1]})


def _without_nan(value: Any) -> Any:
    """The same JSON value with null in place of NaN and infinity."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
