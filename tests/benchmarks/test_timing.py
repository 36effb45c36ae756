import pytest

from benchmarks.timing import Timing, percentile_ms, tail_ms, time_one


class Clock:
    """A clock that only work moves."""

    def __init__(self):
        self.now = 0

    def __call__(self):
        return self.now

    def spend(self, nanoseconds):
        self.now += nanoseconds


def test_tokenising_is_a_part_of_the_total():
    clock = Clock()

    def prepare(request):
        clock.spend(request)
        return request

    timings = [time_one(request, prepare, lambda tokens: clock.spend(100 * tokens), clock) for request in (10, 20, 30)]
    assert timings == [Timing(1010, 10), Timing(2020, 20), Timing(3030, 30)]


def test_percentiles_of_known_samples():
    samples = [number * 1_000_000 for number in range(1, 1002)]
    assert percentile_ms(samples, 50) == 501
    assert tail_ms(samples, 95, 10) == 951
    assert tail_ms(samples, 99, 10) == 991


@pytest.mark.parametrize(("q", "enough"), [(95, 200), (99, 1000)])
def test_a_tail_percentile_needs_ten_samples_beyond_it(q, enough):
    assert tail_ms([1] * (enough - 1), q, 10) is None
    assert tail_ms([1] * enough, q, 10) is not None
