import torch
from torch import nn

from distill.training.muon import MuonAdamW


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))


def optimiser(net, lr=0.02):
    return MuonAdamW([net[0].weight], [net[0].bias, *net[2].parameters()], lr, 0.01)


def train(net, optimizer, steps, seed=1):
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        inputs = torch.randn(32, 8, generator=random)
        loss = ((net(inputs) - inputs[:, :1] * inputs[:, 1:2]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss)


def test_a_matrix_steps_by_an_orthogonal_update_of_adamws_size():
    net = model()
    before = net[0].weight.detach().clone()
    net[0].weight.grad = torch.randn(16, 8, generator=torch.Generator().manual_seed(3))
    MuonAdamW([net[0].weight], [net[0].bias], 0.01, 0.0).step()
    update = before - net[0].weight.detach()
    values = torch.linalg.svdvals(update)
    assert values.max() / values.min() < 2  # a plain gradient's are further apart: 6 here
    assert 0.1 * 0.01 < update.pow(2).mean().sqrt() < 0.3 * 0.01


def test_every_parameter_moves_and_the_loss_falls():
    net = model()
    before = [p.detach().clone() for p in net.parameters()]
    first = train(net, optimiser(net), 1)
    last = train(net, optimiser(net), 300)
    assert all((p != old).any() for p, old in zip(net.parameters(), before, strict=True))
    assert last < 0.7 * first


def test_a_scheduler_reaches_both_parts():
    net = model()
    optimizer = optimiser(net)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0 if step else 1.0)
    train(net, optimizer, 1)
    scheduler.step()
    frozen = [p.detach().clone() for p in net.parameters()]
    train(net, optimizer, 3)
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), frozen, strict=True))


def test_a_resumed_optimiser_goes_on_bitwise():
    straight, cut = model(), model()
    whole, first = optimiser(straight), optimiser(cut)
    train(straight, whole, 5)
    train(cut, first, 5)
    second = optimiser(cut)
    second.load_state_dict(first.state_dict())
    train(straight, whole, 5, seed=2)
    train(cut, second, 5, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), cut.parameters(), strict=True))
    fresh = optimiser(cut)
    train(cut, fresh, 1)
    assert not torch.equal(straight[0].weight, cut[0].weight)


def test_vectors_are_not_decayed():
    net = model()
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
        nn.init.ones_(p)
    MuonAdamW([net[0].weight], [net[0].bias, *net[2].parameters()], 0.1, 0.5).step()
    assert (net[0].bias == 1).all() and (net[2].weight < 1).all() and (net[0].weight < 1).all()
