"""Counted cost against counts by hand, PyTorch's counter and a walk through the graph."""

import random
import time
from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from lightlab.measure import cost
from lightlab.nets.build import build, cnn, mlp
from lightlab.space import scaling
from lightlab.space.arch import Arch, decode, encode, layers


def test_a_linear_layer_costs_its_matrix_and_only_what_is_trained_is_a_parameter():
    model = mlp(64, (30,), 10)
    assert cost.count_macs(model, (1, 8, 8)) == 64 * 30 + 30 * 10
    assert cost.param_count(model) == 64 * 30 + 30 + 30 * 10 + 10
    next(model.parameters()).requires_grad_(False)
    assert cost.param_count(model) == 30 + 30 * 10 + 10


@settings(max_examples=25)
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


def test_counting_changes_nothing_and_needs_no_memory():
    model = cnn(8).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    cost.count_macs(model, (1, 4096, 4096))  # a real pass would write half a gigabyte
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


@settings(max_examples=30)
@given(st.from_type(Arch))
def test_an_architecture_costs_what_pytorch_counts_on_its_module(arch):
    network = build(arch)
    assert cost.macs(arch) == cost.count_macs(network, arch.input_shape)
    for convention in cost.PARAM_CONVENTIONS:
        assert cost.param_count(arch, convention) == cost.param_count(network, convention)
    assert cost.param_count(arch) == sum(p.numel() for p in network.parameters())


@given(st.from_type(Arch), st.sampled_from(list(cost.MACS_CONVENTIONS)))
def test_the_table_of_prices_is_the_count(arch, convention):
    for params in cost.PARAM_CONVENTIONS:
        prices = cost.Prices(convention, params)
        other = replace(arch, resolution=arch.resolution + 1, n_classes=7)
        for one in (arch, other, decode(encode(arch))):  # the last from the table
            assert prices(one) == (cost.macs(one, convention), cost.param_count(one, params))


def test_prices_come_fast():
    """Ratios hold on any machine: 48 and 2.2 were measured, at 350,000 prices a second."""
    base, rng = scaling.get("ofa_max"), random.Random(0)
    designs = list(product((3, 5, 7), (3, 4, 6)))
    options = {
        block: [replace(block, kernel_size=k, expand_ratio=e) for k, e in designs]
        for block in base.blocks
    }
    archs = [
        replace(base, blocks=[rng.choice(options[b]) for b in base.blocks]) for _ in range(4000)
    ]
    prices = cost.Prices()
    found = [prices(arch) for arch in archs]
    known = {block: 1 for arch in archs for block in arch.blocks}

    def seconds_each(price, some):
        start = time.process_time()
        for arch in some:
            price(arch)
        return (time.process_time() - start) / len(some)

    slow = min(seconds_each(cost.macs, archs[i : i + 100]) for i in (0, 100, 200))
    fast = min(seconds_each(prices, archs) for _ in range(3))
    walk = min(seconds_each(lambda a: sum(known[b] for b in a.blocks), archs) for _ in range(3))
    assert slow / fast >= 15
    assert fast / walk <= 5  # what the table itself costs, whatever becomes of the slow way
    for i in rng.sample(range(len(archs)), 20):
        assert found[i] == (cost.macs(archs[i]), cost.param_count(archs[i]))


def test_conventions_leave_out_what_they_say():
    arch = decode("r8x3 conv_k3_s2_c8 mb_k3_s1_e2_c8_se0.25 head_h5_n4")
    se, fc = 2 * 16 * 2, 8 * 5 + 5 * 4
    convolutions = 16 * (27 * 8 + 8 * 16 + 9 * 16 + 16 * 8)
    assert cost.macs(arch, "conv") == convolutions
    assert cost.macs(arch, "conv+fc") == convolutions + fc
    assert cost.macs(arch) == convolutions + fc + se
    weights = 27 * 8 + 8 * 16 + 9 * 16 + 16 * 8 + se + fc
    assert cost.param_count(arch, "weights_only") == weights
    assert cost.param_count(arch) == weights + 2 * (8 + 16 + 16 + 8) + (2 + 16) + (5 + 4)


@pytest.mark.parametrize(
    "call",
    [
        lambda arch: cost.macs(arch, "flops"),
        lambda arch: cost.param_count(arch, "flops"),
        lambda arch: cost.param_count(build(arch), "flops"),
        lambda _: cost.Prices("flops"),
        lambda _: cost.Prices(params="flops"),
    ],
)
def test_an_unknown_convention_is_refused(call):
    with pytest.raises(ValueError, match=r"convention is one of .*, not 'flops'"):
        call(decode("r8x1 conv_k3_s2_c8 head_n2"))


def test_the_table_of_layers_adds_up():
    arch = scaling.get("mobilenet_v3_small")
    table = cost.layer_table(arch)
    assert table["weights"].sum() == cost.param_count(arch, "weights_only")
    assert (table["macs"].sum(), table["trainable"].sum()) == cost.Prices()(arch)
    assert list(table["name"]) == [x.name for x in layers(arch)]


# Activation memory: the same assumptions, worked out on the graph that PyTorch traces.
_IN_PLACE = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Sigmoid, nn.Hardsigmoid)
_IN_PLACE += (nn.Identity, nn.Dropout)


class Whole(fx.Tracer):
    """Takes our convolutions as they are, as it does PyTorch's."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.Conv2d) or super().is_leaf_module(module, name)


def _peak(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Most bytes alive at once over the graph: a map dies after the last node that reads it."""
    traced = fx.GraphModule(network.eval(), Whole().trace(network))
    ShapeProp(traced).propagate(torch.zeros(1, *shape))
    nodes = list(traced.graph.nodes)
    owner, born, last = {}, {}, {}
    for i, node in enumerate(nodes):
        reads = [owner[n] for n in node.all_input_nodes]
        last |= dict.fromkeys(reads, i)
        module = node.op == "call_module" and traced.get_submodule(node.target)
        pools = getattr(node.target, "__name__", "") == "adaptive_avg_pool2d"
        own = node.op == "placeholder" or pools
        own |= isinstance(module, nn.Conv2d | nn.Linear | nn.AdaptiveAvgPool2d | nn.AvgPool2d)
        assert own or not module or isinstance(module, _IN_PLACE)
        owner[node] = node if own else reads[0]
        if own:
            born[node] = last[node] = i
    bytes_of = {n: 4 * n.meta["tensor_meta"].shape.numel() for n in born}
    return max(
        sum(size for n, size in bytes_of.items() if born[n] <= i <= last[n])
        for i in range(len(nodes))
    )


@settings(max_examples=40)
@given(st.from_type(Arch))
@example(decode("r3x1 conv_k1_s1_c1 mb_k1_s2_e3_c7_poolskip*2 head_n1"))  # pooled before it expands
def test_activation_memory_is_that_of_the_traced_graph(arch):
    assert cost.activation_bytes(arch) == _peak(build(arch), arch.input_shape)
