"""Counted cost against counts by hand and published constants."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lightlab.measure import cost
from lightlab.nets import small


def test_a_linear_layer_costs_its_matrix():
    model = small.mlp(64, (30,), 10)
    assert cost.count_macs(model, (1, 8, 8)) == 64 * 30 + 30 * 10
    assert cost.param_count(model) == 64 * 30 + 30 + 30 * 10 + 10


@settings(max_examples=25, deadline=None)
@given(
    c=st.integers(1, 6),
    out=st.integers(1, 6),
    groups=st.integers(1, 3),
    kernel=st.sampled_from((1, 3, 5)),
    stride=st.integers(1, 3),
    side=st.integers(6, 15),
)
def test_a_convolution_costs_what_the_formula_says(c, out, groups, kernel, stride, side):
    """K² · C_in/groups · C_out · H_out · W_out."""
    layer = nn.Conv2d(c * groups, out * groups, kernel, stride, kernel // 2, groups=groups)
    h = (side - 1) // stride + 1
    expected = kernel**2 * c * out * groups * h * h
    assert cost.count_macs(layer, (c * groups, side, side)) == expected


def test_the_separable_convolution_saves_what_howard_et_al_say():
    """1/N + 1/D_K² of a full convolution (MobileNets 2017, section 3.1)."""
    full = nn.Conv2d(32, 64, 3, padding=1)
    depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
    separable = nn.Sequential(depthwise, nn.Conv2d(32, 64, 1))
    ratio = cost.count_macs(separable, (32, 14, 14)) / cost.count_macs(full, (32, 14, 14))
    assert ratio == pytest.approx(1 / 64 + 1 / 9, rel=1e-12)


def test_counting_changes_nothing_and_needs_no_memory():
    model = small.cnn(8).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    cost.count_macs(model, (1, 4096, 4096))  # a real pass would write half a gigabyte
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_only_what_is_trained_counts_as_parameter():
    model = small.cnn(4)
    everything = cost.param_count(model)
    next(model.parameters()).requires_grad_(False)
    assert cost.param_count(model) == everything - 4 * 9
