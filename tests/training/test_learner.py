"""A student and the projections of its terms as one module, alone and as one of several processes has it."""

import pytest
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from distill.models.encoder import load_classifier
from distill.training.inner_states import Reader, sizes
from distill.training.learner import Learner, learner
from distill.training.losses.registry import parse_terms
from distill.training.losses.term import Sizes
from tests.training.toy import LABELS

WIDE = Sizes(layers=4, width=24, heads=2)
TERMS = {"hidden_states": {"layers": "spread"}, "embedding_cosine": {}, "attention_relations": {}, "gold": {}}
INPUTS = {
    "input_ids": torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
    "token_type_ids": torch.zeros(2, 4, dtype=torch.long),
}


@pytest.fixture
def student(encoder):
    torch.manual_seed(1)
    return load_classifier(encoder, LABELS)


def made(student, seed=3, theirs=WIDE):
    return learner(student, parse_terms(TERMS).values(), sizes(student), theirs, seed)


def test_without_projections_it_is_the_student_itself(student):
    assert made(student, theirs=sizes(student)) is student


def test_projections_are_seeded_and_leave_the_random_numbers_of_the_run_alone(student):
    before = torch.random.get_rng_state()
    one, again, other = (made(student, seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    weights = [
        torch.cat([weight.flatten() for weight in each.projections.parameters()]) for each in (one, again, other)
    ]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert isinstance(one, Learner) and len(one.projections) == 2


@pytest.fixture
def alone():
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_several_processes_see_the_same_outputs_and_average_the_gradients_of_both(student, alone):
    whole = made(student)
    wrapped = DistributedDataParallel(whole, find_unused_parameters=True)
    read = Reader(student, {"hidden_states", "projections"})
    expected = read(INPUTS, whole)[1]
    logits, states = read(INPUTS, wrapped)
    assert list(states["projected"]) == list(expected["projected"]) and len(states["projections"]) == 2
    for term, parts in states["projected"].items():
        for one, other in zip(parts, expected["projected"][term], strict=True):
            torch.testing.assert_close(one, other)
    sums = [part.square().sum() for parts in states["projected"].values() for part in parts]
    (logits.sum() + sum(sums) + states["projections"][1].queries.sum()).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in whole.projections.parameters())
