"""Blocks, and the depthwise convolution for training against PyTorch's own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from lightlab.nets import blocks
from lightlab.nets.blocks import ConvBNAct, activation, build_block
from lightlab.space.blocks import Block


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


@pytest.mark.parametrize("op", ["conv", "sep", "mb"])
def test_identity_adds_the_input_where_shapes_allow(op):
    x = torch.randn(2, 8, 6, 6)
    with_skip, without = (
        build_block(Block(op, 8, skip=skip), 8).eval() for skip in ("identity", "none")
    )
    without.load_state_dict(with_skip.state_dict())
    assert torch.allclose(with_skip(x), x + without(x), atol=1e-6)
    wider = build_block(Block(op, 9, skip="identity"), 8).eval()
    assert wider(x).shape == (2, 9, 6, 6)


@pytest.mark.parametrize(("se_of", "gate"), [("input", "sigmoid"), ("expanded", "hardsigmoid")])
def test_squeeze_excite_scales_channels_by_its_papers_gate(se_of, gate):
    block = Block("mb", 8, expand_ratio=2, se_ratio=0.5, se_of=se_of)
    se = build_block(block, 8).se
    x = torch.randn(3, 16, 5, 5)
    averages = x.mean((2, 3))
    squeezed = torch.relu(averages @ se.reduce.weight[:, :, 0, 0].T + se.reduce.bias)
    raw = squeezed @ se.restore.weight[:, :, 0, 0].T + se.restore.bias
    gates = getattr(nn.functional, gate)(raw)
    assert torch.allclose(se(x), x * gates[:, :, None, None], atol=1e-5)


def test_the_projection_is_linear_and_the_separable_convolution_is_not():
    """MobileNetV2 section 3.2, MobileNetV1 figure 3."""
    x = torch.randn(4, 8, 6, 6)
    assert (build_block(Block("mb", 12, expand_ratio=2), 8)(x) < 0).any()
    assert (build_block(Block("sep", 12), 8)(x) >= 0).all()


@pytest.mark.parametrize(
    ("name", "values"),
    [("relu", [0, 3, 7]), ("relu6", [0, 3, 6]), ("hswish", [-1 / 3, 3, 7]), ("none", [-1, 3, 7])],
)
def test_every_activation_is_the_one_that_it_is_called(name, values):
    found = activation(name)(torch.tensor([-1.0, 3.0, 7.0]))
    assert found.tolist() == pytest.approx(values)
