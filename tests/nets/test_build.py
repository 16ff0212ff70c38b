"""Built networks: the layers they should have, weights as their papers draw them, by seed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lightlab.nets.blocks import activation, build_block
from lightlab.nets.build import INITS, build, build_named
from lightlab.space import scaling
from lightlab.space.arch import Arch, decode, layers
from lightlab.space.blocks import Block, encode_block

SMALL = decode(
    "r17x2 conv_k3_s2_c8_hswish conv_k3_s1_c8_skip sep_k5_s1_c8_skip mb_k3_s1_e1_c8_se0.25"
    " mb_k5_s2_e2.3_c16_se0.25x_relu6 head_f24_h12nobias_hswish_n5"
)


def _executed(network: nn.Module, shape: tuple[int, ...]) -> list[tuple]:
    """What a forward pass meets, in order: the facts that a `Layer` states."""
    met = []

    def convolution(module, inputs, output):
        facts = (module.in_channels, module.out_channels, module.kernel_size[0], module.stride[0])
        sides = inputs[0].shape[-1], output.shape[-1]
        met.append((names[module], *facts, module.groups, *sides, module.bias is not None))

    def linear(module, inputs, output):
        widths = inputs[0].shape[1], output.shape[1]
        met.append((names[module], *widths, 1, 1, 1, 1, 1, module.bias is not None))

    names = {module: name.removesuffix(".conv") for name, module in network.named_modules()}
    for module in names:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(convolution)
        elif isinstance(module, nn.Linear):
            module.register_forward_hook(linear)
    network.eval()(torch.zeros(1, *shape))
    return met


@settings(max_examples=40)
@given(st.from_type(Arch))
def test_a_module_is_made_of_the_layers_that_its_architecture_lists(arch):
    network = build(arch)
    assert _executed(network, arch.input_shape) == [
        (
            x.name,
            x.in_channels,
            x.out_channels,
            x.kernel_size,
            x.stride,
            x.groups,
            x.in_size,
            x.out_size,
            x.bias,
        )
        for x in layers(arch)
    ]
    norms = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [x.out_channels for x in layers(arch) if x.norm]


def test_images_in_logits_out_and_every_weight_learns():
    network = build(SMALL, dropout=0.1)
    out = network(torch.randn(4, *SMALL.input_shape))
    assert out.shape == (4, 5)
    out.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("init", INITS)
def test_weights_depend_on_the_seed_and_on_nothing_else(init):
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    a, b, c = (build(SMALL, seed=seed, init=init).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["stem.conv.weight"], c["stem.conv.weight"])
    assert all(torch.isfinite(v).all() for v in a.values())


def test_he_normal_by_fan_out_keeps_gradients_at_their_size():
    """Standard deviation sqrt(2 / (k² · outputs per group)); biases 0, normalisations 1 and 0."""
    network = build(scaling.get("mnasnet_a1"), seed=3, init="fan_out")
    first = network.stem.conv.weight
    assert first.std().item() == pytest.approx((2 / (9 * 32)) ** 0.5, rel=0.05)
    depthwise = network.blocks[-1].depthwise.conv.weight
    assert depthwise.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert network.classifier.weight.abs().max().item() == pytest.approx(1280**-0.5, rel=1e-3)
    for name, values in network.named_parameters():
        if name.endswith("bias"):
            assert not values.any()
        if name.endswith("norm.weight"):
            assert (values == 1).all()


def test_a_named_network_begins_as_in_its_papers_code():
    mnasnet = build_named("mnasnet_a1", seed=3)
    assert mnasnet.classifier.weight.abs().max().item() == pytest.approx(1000**-0.5, rel=1e-3)
    depthwise = mnasnet.blocks[-1].depthwise.conv.weight
    assert depthwise.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    proxyless = build_named("proxyless_mobile", seed=3)
    assert proxyless.classifier.weight.abs().max().item() == pytest.approx(1280**-0.5, rel=1e-3)
    kernels = proxyless.blocks[-1].depthwise.conv.weight
    fan_out = kernels.shape[-1] ** 2 * len(kernels)
    assert kernels.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
    slim = build_named("mobilenet_v2", width_mult=0.5, resolution=96)
    assert slim.blocks[3].project.conv.weight.abs().max() <= 0.18
    assert slim.arch == scaling.get("mobilenet_v2", width_mult=0.5, resolution=96)


def test_slims_normal_is_cut_at_two_deviations():
    """Cut at two, a normal of 0.09 keeps a standard deviation of 0.0792."""
    weights = build(decode("r8x3 conv_k3_s2_c64 sep_k3_s1_c512 head_n9"), init="slim")
    pointwise = weights.blocks[0].project.conv.weight
    assert pointwise.abs().max() <= 0.18
    assert pointwise.std().item() == pytest.approx(0.0792, rel=0.02)


def test_an_unknown_init_is_refused():
    with pytest.raises(
        ValueError, match="init is one of fan_out, mnasnet, proxyless, slim, not 'he'"
    ):
        build(SMALL, init="he")


@pytest.mark.parametrize("block", SMALL.blocks, ids=encode_block)
def test_a_block_alone_is_the_block_in_the_network(block):
    place = SMALL.blocks.index(block)
    whole = build(SMALL).blocks[place]
    alone = build_block(block, 8)
    alone.load_state_dict(whole.state_dict())
    x = torch.randn(2, 8, 9, 9)
    assert torch.equal(alone.eval()(x), whole.eval()(x))


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


def test_dropout_stands_before_the_classifier_and_only_in_training():
    network = build(SMALL, dropout=0.5)
    assert network.dropout.p == 0.5
    x = torch.randn(4, *SMALL.input_shape)
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize(
    ("name", "values"),
    [("relu", [0, 3, 7]), ("relu6", [0, 3, 6]), ("hswish", [-1 / 3, 3, 7]), ("none", [-1, 3, 7])],
)
def test_every_activation_is_the_one_that_it_is_called(name, values):
    found = activation(name)(torch.tensor([-1.0, 3.0, 7.0]))
    assert found.tolist() == pytest.approx(values)
