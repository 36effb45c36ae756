import pytest

from benchmarks.config import BenchConfig
from benchmarks.latency_rows import latency_rows, ratios
from benchmarks.layouts import BATCHES, ONE, SESSIONS

MS = 1_000_000


def measured(p50_ms, samples=21, **batches):
    """One process: samples around `p50_ms` at batch 1, and other batches as given."""
    total = [int((p50_ms + 0.1 * (number - samples // 2)) * MS) for number in range(samples)]
    other = {name.removeprefix("b"): {"total_ns": [value * MS], "tokenise_ns": [MS]} for name, value in batches.items()}
    one = {"total_ns": total, "tokenise_ns": [MS] * samples}
    return {"batches": {"1": one, **other}, "tokens": [9, 30, 12], "layouts": {BATCHES: 1000 / p50_ms}}


@pytest.fixture
def subjects(subject):
    return [
        subject("base@document", "document", "pytorch", "fp32", "teacher"),
        subject("base@document.onnx", "document", "onnxruntime", "fp32", "teacher"),
        subject("base@card.onnx", "card", "onnxruntime", "fp32", "teacher"),
        subject("3L@card.onnx-int8"),
    ]


ROUNDS = {
    "base@document": [measured(100), measured(120)],
    "base@document.onnx": [measured(50), measured(60)],
    "base@card.onnx": [measured(20), measured(24)],
    "3L@card.onnx-int8": [measured(5), measured(10)],
}


def test_speed_ups_are_ratios_of_medians_within_one_run(subjects):
    rows = {row["model"]: row for row in latency_rows(subjects, ROUNDS, BenchConfig(), 2)}
    student, teacher = rows["3L@card.onnx-int8"], rows["base@document"]
    assert teacher["speedup_vs_teacher"] == 1 == rows["base@document.onnx"]["speedup_vs_best_teacher"]
    assert student["speedup_vs_teacher"] == pytest.approx(teacher["p50_ms"] / student["p50_ms"])
    # The best teacher is the fastest one on documents, not the faster one on cards.
    best = rows["base@document.onnx"]["p50_ms"] / student["p50_ms"]
    assert student["speedup_vs_best_teacher"] == pytest.approx(best)
    assert student["speedup_low"] < student["speedup_vs_teacher"] < student["speedup_high"]
    assert student["best_low"] < student["speedup_vs_best_teacher"] < student["best_high"]


def test_words_that_teach_are_faster_than_any_teacher_but_no_reference(subjects, subject):
    """What TF-IDF takes is no teacher's speed that a student could be held against."""
    words = subject("words@document", "document", "scikit-learn", "fp64", "teacher")
    rounds = {**ROUNDS, words.name: [measured(0.5), measured(0.6)]}
    plain = latency_rows(subjects, ROUNDS, BenchConfig(), 2)
    added = latency_rows([words, *subjects], rounds, BenchConfig(), 2)
    same = ("model", "p50_ms", "speedup_vs_teacher", "speedup_vs_best_teacher")
    assert [[row[key] for key in same] for row in added[1:]] == [[row[key] for key in same] for row in plain]
    assert added[0]["speedup_vs_teacher"] == pytest.approx(plain[0]["p50_ms"] / added[0]["p50_ms"])


def test_figures_that_are_compared_are_over_the_requests_that_all_have_answered(subjects):
    """The slow teacher has answered five: the student's p50 is over these five, its samples are all."""
    rounds = {**ROUNDS, "base@document": [measured(100, samples=5), measured(100, samples=9)]}
    rows = {row["model"]: row for row in latency_rows(subjects, rounds, BenchConfig(), 2)}
    student = rows["3L@card.onnx-int8"]
    assert (student["requests"], student["samples"], student["processes"]) == (5, 42, 2)
    middles = [one["batches"]["1"]["total_ns"][2] / MS for one in rounds["3L@card.onnx-int8"]]
    assert student["p50_ms"] == pytest.approx((middles[0] * middles[1]) ** 0.5)


def test_one_process_has_no_interval(subjects):
    rounds = {name: found[:1] for name, found in ROUNDS.items()}
    row = latency_rows(subjects, rounds, BenchConfig(), 2)[3]
    assert row["speedup_vs_teacher"] and row["speedup_low"] is row["speedup_high"] is row["best_low"] is None


def test_a_row_says_what_disturbed_its_processes(subjects):
    block = {"waited_share": 0.4, "switches_per_s": 90.0, "load": 9.0, "repeats": 2}
    noisy = [{**block, "why": ["threads waited for a processor (40% of the time)"]}]
    rounds = {
        name: [{**one, "disturbed": 0.5, "blocks": noisy, "start_ms": 70.0, "memory_bytes": 3 << 20} for one in found]
        for name, found in ROUNDS.items()
    }
    row = latency_rows(subjects, rounds, BenchConfig(), 2)[3]
    assert (row["disturbed"], row["repeats"], row["load"], row["waited_share"]) == (0.5, 4, 9.0, 0.4)
    assert row["disturbed_by"] == ["threads waited for a processor"]
    assert (row["start_ms"], row["memory_mib"]) == (70.0, 3.0)


def test_a_row_holds_the_figures_of_all_processes(subjects):
    row = latency_rows(subjects, ROUNDS, BenchConfig(), 2)[0]
    assert (row["samples"], row["tokens"], row["threads"], row["batch"]) == (42, 12, 2, 1)
    assert row["p50_ms"] == pytest.approx((100 * 120) ** 0.5) and row["tokenise_ms"] == 1
    assert row["throughput_per_s"] == pytest.approx((10 * 1000 / 120) ** 0.5) and "layouts" not in row


def test_a_file_in_several_layouts_has_the_throughput_of_the_fastest(subjects):
    def laid_out(one, apart):
        return {**measured(10, 10), "layouts": {ONE: one, SESSIONS: apart}}

    rounds = {**ROUNDS, subjects[3].name: [laid_out(100.0, 150.0), laid_out(100.0, 130.0)]}
    row = latency_rows(subjects, rounds, BenchConfig(), 2)[3]
    best, other = row["layouts"]
    assert row["throughput_per_s"] == best["per_s"] == pytest.approx((150 * 130) ** 0.5)
    assert (best["kind"], best["sessions"], best["threads"], best["batch"]) == (SESSIONS, 2, 1, 1)
    assert (other["kind"], other["sessions"], other["threads"], other["ratio"]) == (ONE, 1, 2, 1.0)
    assert best["ratio"] == pytest.approx((1.5 * 1.3) ** 0.5) and best["low"] < 1.3 < 1.5 < best["high"]


def test_tail_percentiles_are_null_until_there_are_enough_samples(subjects):
    few = latency_rows(subjects[:1], {"base@document": [measured(50, 500)] * 2}, BenchConfig(tail_samples=11), 2)[0]
    enough = latency_rows(subjects[:1], {"base@document": [measured(50, 500)] * 2}, BenchConfig(), 2)[0]
    assert few["p99_ms"] is None and few["p95_ms"] is not None
    assert enough["p50_ms"] < enough["p95_ms"] < enough["p99_ms"]


def test_larger_batches_have_no_speed_up(subjects):
    rounds = {name: [measured(50, b8=80)] for name in ROUNDS}
    rows = latency_rows(subjects, rounds, BenchConfig(batch=[8, 1]), 2)
    assert [row["batch"] for row in rows] == [1, 8] * 4
    assert rows[1]["p50_ms"] == pytest.approx(80) and rows[1]["speedup_vs_teacher"] is None
    assert set(ratios(rows)) == set(ROUNDS)


def test_without_a_reference_there_is_no_speed_up(subjects):
    rows = latency_rows(subjects[2:], ROUNDS, BenchConfig(), 2)
    assert [row["speedup_vs_teacher"] for row in rows] == [None, None]
    assert ratios(rows) == {}
