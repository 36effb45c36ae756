"""Which artifacts still belong together, by what their manifests say they were made from."""

from __future__ import annotations

import pytest

from distill.core.current import Current, made_anew, require_current
from distill.core.errors import UserError
from distill.core.steps import Read, Step
from tests.core.step_fixtures import Body, left, steps

RECORDS = Step("records", "records", Body(**{"train.txt": "a", "pool.txt": "b"}))
TEACHER = Step("teach", "teachers/base", Body(), reads=(Read("records", ("train.txt",)),))
ANSWERS = Step("predict", "predictions/base@card", Body(), reads=(Read("teachers/base"),))


@pytest.fixture
def run(tmp_path):
    made = steps(tmp_path)
    for step in (RECORDS, TEACHER, ANSWERS):
        made.run(step)
    return tmp_path


def again(run, **files):
    """Make the records anew and nothing after them."""
    steps(run).run(Step("records", "records", Body(**files), config=files))


def test_what_goes_back_to_another_file_by_now_is_named_with_it(run):
    assert made_anew(run, ANSWERS.artifact) is None
    again(run, **{"train.txt": "other", "pool.txt": "b"})
    assert made_anew(run, ANSWERS.artifact) == made_anew(run, TEACHER.artifact) == "records"
    with pytest.raises(UserError, match=r"records has other content by now"):
        require_current(run, ANSWERS.artifact)


def test_a_file_that_is_not_read_changes_nothing_and_one_that_is_gone_from_the_records_does(run):
    again(run, **{"train.txt": "a", "pool.txt": "other"})
    assert made_anew(run, ANSWERS.artifact) is None
    again(run, **{"pool.txt": "other"})
    assert made_anew(run, ANSWERS.artifact) == "records"


def test_over_several_seeds_the_run_of_each_is_followed(tmp_path):
    for step in (RECORDS, TEACHER, ANSWERS):
        steps(tmp_path / "seed-2").run(step)
    steps(tmp_path).run(Step("evaluate", "evaluation", Body(), reads=(Read(f"seed-2/{ANSWERS.artifact}"),)))
    assert made_anew(tmp_path, "evaluation") is None
    again(tmp_path / "seed-2", **{"train.txt": "other"})
    assert made_anew(tmp_path, "evaluation") == "records"


def test_only_current_artifacts_are_read(tmp_path):
    left(tmp_path / "audit" / "audit.json", {"rows": 3})
    assert Current(tmp_path, {"audit"}).read("audit", "audit.json") == {"rows": 3}
    assert Current(tmp_path, set()).read("audit", "audit.json") is None
    assert Current(tmp_path, {"audit", "latency"}).read("latency", "latency.json") is None
