"""The depthwise convolution for training against PyTorch's own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lightlab.nets import blocks
from lightlab.nets.blocks import ConvBNAct


def plain(x, weight, stride):
    return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2, groups=len(weight))


@given(
    kernel=st.sampled_from((3, 5, 7, 9)),
    stride=st.sampled_from((1, 2)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 12), st.integers(1, 12)),
)
def test_outputs_are_the_same_and_gradients_agree(kernel, stride, size):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(size, generator=generator).to(memory_format=torch.channels_last)
    weight = torch.randn(size[1], 1, kernel, kernel, generator=generator)
    found = []
    for convolve in (plain, blocks.convolve):
        leaves = [v.detach().clone().requires_grad_() for v in (x, weight)]
        out = convolve(*leaves, stride)
        grad = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
        found.append((out, *torch.autograd.grad(out, leaves, grad)))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4, rtol=1e-4)
    assert torch.equal(found[0][0], found[1][0])


def test_gradients_are_those_of_finite_differences():
    x = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    for stride in (1, 2):
        assert torch.autograd.gradcheck(
            lambda a, b, s=stride: blocks.convolve(a, b, s), (x, weight)
        )


@pytest.mark.parametrize("frozen", ["x", "weight"])
def test_only_what_is_asked_for_is_computed(frozen, monkeypatch):
    asked, backward = [], blocks._backward
    monkeypatch.setattr(
        blocks, "_backward", lambda *args: asked.append(args[-1]) or backward(*args)
    )
    x, weight = torch.randn(1, 2, 8, 8), torch.randn(2, 1, 7, 7)
    (weight if frozen == "x" else x).requires_grad_()
    blocks.convolve(x, weight, 1).sum().backward()
    assert asked == ([1] * 3 if frozen == "x" else [0])


def test_layers_use_it_in_training_only(monkeypatch):
    layer, called = ConvBNAct(4, 4, 5, groups=4), []
    monkeypatch.setattr(blocks, "convolve", lambda *args: called.append(1) or plain(*args))
    x = torch.randn(2, 4, 8, 8)
    layer.train()(x)
    layer.eval()(x)
    assert called == [1]
