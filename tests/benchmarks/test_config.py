import pytest

from benchmarks.config import BenchConfig
from distill.core.config import parse
from distill.core.errors import UserError
from tests.core.rejected_elsewhere import REJECTED as ELSEWHERE

REJECTED = ELSEWHERE[BenchConfig]


def test_every_field_has_a_rejected_value():
    assert set(REJECTED) == set(BenchConfig.model_fields)


@pytest.mark.parametrize(("field", "value"), REJECTED.items())
def test_a_bad_value_is_named(field, value):
    with pytest.raises(UserError, match=rf"bench\.{field}[.\d]*: .*{str(value).strip('[]')}"):
        parse(BenchConfig, {field: value}, "project.yaml", "bench")


def test_a_batch_of_zero_is_refused():
    with pytest.raises(UserError, match=r"bench\.batch\.1"):
        parse(BenchConfig, {"batch": [1, 0]}, "project.yaml", "bench")


def test_the_defaults_give_enough_samples_for_p99():
    config = BenchConfig()
    assert config.requests * config.processes >= 100 * config.tail_samples
