"""Which device a process trains and labels on."""

import pytest
import torch

from distill.training.config import LoraConfig
from distill.training.device import device
from distill.training.four_bit import four_bits
from teachers.config import LabellingConfig
from teachers.opening import opening


@pytest.fixture
def taken(monkeypatch):
    """The cards that this process has made its current one, on a machine with two."""
    taken = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda one: taken.append(one))
    return taken


@pytest.mark.parametrize(("local_rank", "card"), [(0, 0), (1, 1), (3, 1)])
@pytest.mark.parametrize(
    "ask", [device, lambda: opening(LabellingConfig(), 1), lambda: four_bits(LoraConfig(four_bit=True))]
)
def test_each_process_of_torchrun_takes_a_card_of_its_own(taken, monkeypatch, ask, local_rank, card):
    for name, value in {"WORLD_SIZE": 4, "RANK": 3, "LOCAL_RANK": local_rank}.items():
        monkeypatch.setenv(name, str(value))
    ask()
    assert taken[-1] == card and device() == "cuda"


def test_one_process_keeps_the_current_card(taken, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert device() == "cuda" and taken == [0]


def test_processes_without_a_card_take_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "2")
    assert device() == "cpu"
