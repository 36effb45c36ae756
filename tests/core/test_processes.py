import pytest

from distill.core.errors import UserError
from distill.core.processes import local_rank, rank, world


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (0, 0, 1)),
        ({"RANK": "3"}, (0, 0, 1)),
        ({"RANK": "", "WORLD_SIZE": ""}, (0, 0, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (0, 0, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}, (0, 0, 1)),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}, (3, 1, 4)),
    ],
)
def test_several_processes_are_those_of_torchrun(variables, expected, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (rank(), local_rank(), world()) == expected


@pytest.mark.parametrize("ask", [rank, local_rank, world])
def test_variables_of_a_scheduler_without_torchrun_are_named(ask, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UserError, match=r"torchrun did not start it\n.*WORLD_SIZE\n.*4, and no LOCAL_RANK") as caught:
        ask()
    assert caught.value.exit_code == 2
