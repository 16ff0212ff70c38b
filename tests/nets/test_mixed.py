"""Candidate paths and binary gates, against closed forms."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightlab.nets.build import build
from lightlab.nets.mixed import FORMS, Supernet, binary_gates
from lightlab.space.proxyless import PROXYLESS, ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(Skeleton.small((3, 16, 16), 10, [16, 24]))


def images(n=4, seed=0):
    return torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def test_the_imagenet_supernet_has_the_published_weights():
    net = Supernet(ProxylessSpace(PROXYLESS))
    assert sum(p.numel() for p in net.weights()) / 1e6 == pytest.approx(16.03, abs=0.005)
    assert sum(p.numel() for p in net.arch_logits()) == 141


def test_an_active_path_is_the_network_that_is_decoded():
    net = Supernet(SPACE, seed=0).eval()
    rng = np.random.default_rng(0)
    for point in SPACE.sample(rng, 5):
        net.activate(point)
        assert net.active == point
        alone = build(SPACE.decode(point)).eval()
        chosen = tuple(f"blocks.{i}.candidates.{at}." for i, at in enumerate(point, 1))
        weights = [
            value
            for name, value in net.state_dict().items()
            if name.startswith(chosen) or not ("candidates" in name or "arch_logits" in name)
        ]
        alone.load_state_dict(dict(zip(alone.state_dict(), weights, strict=True)))
        torch.testing.assert_close(net(images()), alone(images()))


@pytest.mark.parametrize("active", range(3))
def test_gates_hand_their_gradient_on_as_equation_4_says(active):
    logits = torch.tensor([0.3, -0.2, 0.9], requires_grad=True)
    slopes = torch.tensor([1.0, 2.0, -3.0])  # dL/dg
    p = logits.softmax(0)
    one_hot = binary_gates(p, active)
    assert one_hot.tolist() == pytest.approx(np.eye(3)[active].tolist())
    (found,) = torch.autograd.grad((one_hot * slopes).sum(), logits)
    p = p.detach()
    wanted = [sum(slopes[j] * p[j] * (float(i == j) - p[i]) for j in range(3)) for i in range(3)]
    torch.testing.assert_close(found, torch.stack(wanted))


@pytest.mark.parametrize("form", FORMS)
def test_one_candidate_is_a_fixed_block(form):
    space = ProxylessSpace(SPACE.skeleton, {"k3_e6": (3, 6)}, zero=False)
    net = Supernet(space)
    net.draw(form, torch.Generator())
    F.cross_entropy(net(images()), torch.zeros(4, dtype=torch.long)).backward()
    assert net.derive() == (0,) * 4
    assert all(not logits.grad.any() for logits in net.arch_logits() if logits.grad is not None)
    assert net.entropy() == 0


def test_entropy_and_log_probability_are_those_of_the_distribution_over_points():
    space = ProxylessSpace(Skeleton.small((3, 16, 16), 10, [16]), {"a": (3, 3), "b": (5, 3)})
    net = Supernet(space)
    for i, logits in enumerate(net.arch_logits()):
        nn.init.normal_(logits, generator=torch.Generator().manual_seed(i))
    log_p = []
    for number in range(space.size()):
        net.activate(space.unrank(number))
        log_p.append(net.log_probability().item())
    p = np.exp(log_p)
    assert p.sum() == pytest.approx(1)
    assert net.entropy().item() == pytest.approx(-(p * log_p).sum())
    assert net.derive() == space.unrank(int(p.argmax()))
    with pytest.raises(ValueError, match="no index"):
        net.activate((9, 9))
