import threading
import time

import numpy as np
import pytest

from distill.core.progress import Reporter, reporting
from distill.inference import scorer as scoring
from distill.inference.runner_scorer import RunnerScorer, pool_windows
from distill.inference.torch_runner import TorchRunner


class Watch(Reporter):
    """Counts the tokens that it is told of."""

    def __init__(self):
        self.tokens = 0

    def read(self, tokens, rows=0):
        self.tokens += tokens


class Echo:
    """Logits that depend on a row's own ids only: their sum, their number, and the batch's width in `widths`."""

    def __init__(self):
        self.widths, self.rows = [], []

    def logits(self, batch):
        mask = batch["attention_mask"]
        self.widths.append(mask.shape[1])
        self.rows.append(mask.shape[0])
        return np.stack([(batch["input_ids"] * mask).sum(1), mask.sum(1)], axis=1).astype(np.float32)


def _expected(renderer, rows):
    windows = [row.windows for row in renderer.encode_batch(rows)]
    return np.array([np.mean([[sum(w.ids), len(w.ids)] for w in own], axis=0) for own in windows], np.float32)


@pytest.mark.parametrize("windows", [None, {"stride": 4, "max": 3, "pool": "mean"}])
@pytest.mark.parametrize("chunk_rows", [1, 3, 1024])
def test_rows_come_back_in_order(windows, chunk_rows, make_renderer, rows, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK_ROWS", chunk_rows)
    scores = RunnerScorer(Echo(), make_renderer(windows=windows), batch_tokens=100, max_rows=4).score(rows)
    np.testing.assert_allclose(scores.logits, _expected(make_renderer(windows=windows), rows), rtol=1e-6)
    encoded = make_renderer(windows=windows).encode_batch(rows)
    assert scores.tokens.tolist() == [row.tokens for row in encoded]
    assert scores.cut_tokens.tolist() == [row.cut_tokens for row in encoded] and scores.cut_tokens.any()
    assert scores.logits.dtype == np.float32 and scores.tokens.dtype == np.int64


def test_batches_keep_to_the_budget_in_length_order(make_renderer, rows):
    runner = Echo()
    RunnerScorer(runner, make_renderer(), batch_tokens=90, max_rows=5).score(rows)
    assert runner.widths == sorted(runner.widths, reverse=True)
    assert max(runner.rows) <= 5
    assert all(width * count <= 90 for width, count in zip(runner.widths, runner.rows, strict=True))


@pytest.mark.parametrize("windows", [None, {"stride": 4, "max": 3, "pool": "max"}])
def test_batching_changes_float_noise_only(windows, folder, make_renderer, rows, monkeypatch):
    runner = TorchRunner(folder)
    scorer = RunnerScorer(runner, make_renderer(windows=windows))
    alone = np.concatenate([scorer.score([row]).logits for row in rows])
    together = scorer.score(rows).logits
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 7)
    chunked = RunnerScorer(runner, make_renderer(windows=windows), batch_tokens=64, max_rows=3).score(rows).logits
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(chunked, alone, atol=1e-5)
    assert np.ptp(alone, axis=0).min() > 0.1


def test_a_chunk_depends_on_its_own_rows_only(folder, make_renderer, rows):
    scorer = RunnerScorer(TorchRunner(folder), make_renderer())
    first, second = scorer.score_chunks([rows[:9], rows[9:20]])
    (again,) = scorer.score_chunks([rows[9:20]])
    assert np.array_equal(second.logits, again.logits) and len(first.logits) == 9


@pytest.mark.parametrize("windows", [None, {"stride": 4, "max": 3, "pool": "max"}])
def test_the_halves_are_the_whole(windows, folder, make_renderer, rows, monkeypatch):
    scorer = RunnerScorer(TorchRunner(folder), make_renderer(windows=windows), batch_tokens=200, max_rows=6)
    whole, prepared = scorer.score(rows), scorer.prepare(rows)
    assert np.array_equal(scorer.answer(prepared), whole.logits)
    assert [item.tokens for item in prepared] == whole.tokens.tolist()
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 16)
    pieces = [scorer.answer(scorer.prepare(rows[start : start + 16])) for start in (0, 16, 32)]
    assert np.array_equal(np.concatenate(pieces), scorer.score(rows).logits)


def test_windows_are_read_as_the_one_batch_that_is_asked_for(make_renderer, rows):
    runner = Echo()
    scorer = RunnerScorer(runner, make_renderer(), batch_tokens=1, max_rows=1)
    windows = [item.windows[0] for item in scorer.prepare(rows[5:8])]
    found = scorer.window_logits(windows)
    assert (runner.rows, runner.widths) == ([3], [max(len(window.ids) for window in windows)])
    assert found.tolist() == [[sum(window.ids), len(window.ids)] for window in windows]


def test_windows_are_pooled_by_the_views_rule(make_renderer, rows):
    rule = {"stride": 4, "max": 4}
    views = [make_renderer(windows=rule | {"pool": pool}) for pool in ("mean", "max")]
    low, high = (RunnerScorer(Echo(), view).score(rows).logits for view in views)
    assert (high >= low - 1e-3).all() and (high > low + 1).any()


def test_pool_windows():
    logits = np.array([[1, 5], [3, 1], [2, 2], [np.nan, 0], [4, 1]], np.float32)
    assert pool_windows(logits[:3], [2, 1], "mean").tolist() == [[2, 3], [2, 2]]
    assert pool_windows(logits[:3], [2, 1], "max").tolist() == [[3, 5], [2, 2]]
    for rule in ("mean", "max"):
        assert np.isnan(pool_windows(logits, [3, 2], rule)[1, 0])


def test_text_may_be_empty(folder, make_renderer):
    scores = RunnerScorer(TorchRunner(folder), make_renderer()).score([{}, {"product.title": None}])
    assert np.isfinite(scores.logits).all() and scores.tokens.tolist() == [0, 0]


def test_no_rows(make_renderer):
    scores = RunnerScorer(Echo(), make_renderer()).score([])
    assert scores.logits.shape == (0, 0) and scores.tokens.shape == scores.cut_tokens.shape == (0,)


def test_progress_ends_at_the_number_of_rows(make_renderer, rows, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK_ROWS", 10)
    told, watch, renderer = [], Watch(), make_renderer(windows={"stride": 4, "max": 3})
    with reporting(watch):
        RunnerScorer(Echo(), renderer, max_rows=4).score(rows, told.append)
    assert told == sorted(told) and told[-1] == len(rows) and len(told) > 5
    assert watch.tokens == sum(row.read_tokens for row in renderer.encode_batch(rows))


def test_preparing_runs_ahead_but_not_without_bound(make_renderer, rows, monkeypatch):
    renderer, taken, scored = make_renderer(), [], []
    encode, main = renderer.encode_batch, threading.current_thread()

    def watched(chunk):
        assert threading.current_thread() is not main
        return encode(chunk)

    monkeypatch.setattr(renderer, "encode_batch", watched)

    class Slow(Echo):
        def logits(self, batch):
            scored.append(len(taken))
            return super().logits(batch)

    chunks = ([taken.append(row) or row for row in rows[start : start + 2]] for start in range(0, len(rows), 2))
    assert len(list(RunnerScorer(Slow(), renderer).score_chunks(chunks))) == 21
    assert 2 < scored[0] <= 2 * (scoring._CHUNKS_AHEAD + 1)


def test_errors_of_either_side_end_the_work(make_renderer, rows, monkeypatch):
    class Broken:
        def logits(self, batch):
            raise RuntimeError("device lost")

    with pytest.raises(RuntimeError, match="device lost"):
        RunnerScorer(Broken(), make_renderer()).score(rows)
    renderer = make_renderer()
    monkeypatch.setattr(renderer, "encode_batch", lambda chunk: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        RunnerScorer(Echo(), renderer).score(rows)
    deadline = time.monotonic() + 60
    while any(thread.name.startswith("prepare") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the thread that prepares was left behind"
