"""Built networks: the layers they should have, weights as their papers draw them, by seed."""

from functools import partial
from operator import attrgetter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lightlab.measure import cost
from lightlab.nets.build import INITS, build, build_named, cnn, mlp
from lightlab.space import scaling
from lightlab.space.arch import Arch, decode, layers

SMALL = decode(
    "r17x2 conv_k3_s2_c8_hswish conv_k3_s1_c8_skip sep_k5_s1_c8_skip mb_k3_s1_e1_c8_se0.25"
    " mb_k5_s2_e2.3_c16_se0.25x_relu6 head_f24_h12nobias_hswish_n5"
)


FACTS = attrgetter(
    *("name", "in_channels", "out_channels", "kernel_size", "stride", "groups"),
    *("in_size", "out_size", "bias"),
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
    assert _executed(network, arch.input_shape) == list(map(FACTS, layers(arch)))
    norms = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [x.out_channels for x in layers(arch) if x.norm]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (build(SMALL, dropout=0.5), SMALL.input_shape),
        (mlp(256, (20, 10), 5), (1, 16, 16)),
        (cnn(4, n_out=5), (1, 16, 16)),
        (cnn(5, dropout=0.2, depth=2, pool=4, n_out=5), (1, 16, 16)),
    ],
)
def test_images_in_logits_out_and_every_weight_learns(model, shape):
    x = torch.randn(4, *shape)
    out = model.train()(x)
    assert out.shape == (4, 5)
    out.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    drops = any(isinstance(m, nn.Dropout) and m.p for m in model.modules())
    assert torch.equal(model(x), model(x)) != drops
    assert torch.equal(model.eval()(x), model(x))


@pytest.mark.parametrize(
    "make",
    [*(partial(build, SMALL, init=init) for init in INITS), cnn, lambda seed: mlp(9, seed=seed)],
)
def test_weights_depend_on_the_seed_and_on_nothing_else(make):
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    a, b, c = (list(make(seed=seed).state_dict().values()) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(2), expected)
    assert all(map(torch.equal, a, b))
    assert not torch.equal(a[0], c[0])
    assert all(torch.isfinite(v).all() for v in a)


PROXYLESS = (2 / (49 * 6 * 192)) ** 0.5  # where groups are not told apart
NARROW = decode("r8x3 conv_k3_s2_c64 sep_k3_s1_c512 head_n9")


@pytest.mark.parametrize(
    ("network", "weight", "std"),
    [
        (build(scaling.get("mnasnet_a1"), seed=3), "stem.conv", (2 / (9 * 32)) ** 0.5),
        (build(scaling.get("mnasnet_a1"), seed=3), "blocks.15.depthwise.conv", (2 / 9) ** 0.5),
        (build_named("mnasnet_a1", seed=3), "blocks.15.depthwise.conv", (2 / 9) ** 0.5),
        (build_named("proxyless_mobile", seed=3), "blocks.19.depthwise.conv", PROXYLESS),
        # cut at two deviations, a normal of 0.09 keeps a standard deviation of 0.0792
        (build(NARROW, init="slim"), "blocks.0.project.conv", 0.0792),
        (build_named("mobilenet_v2", width_mult=0.5), "blocks.16.project.conv", 0.0792),
    ],
)
def test_convolutions_are_drawn_as_wide_as_their_papers_say(network, weight, std):
    """By fan-out sqrt(2 / (k² · outputs per group)); Slim's never beyond 0.18."""
    values = network.get_submodule(weight).weight
    assert values.std().item() == pytest.approx(std, rel=0.05)
    assert std != 0.0792 or values.abs().max() <= 0.18
    for name, value in network.named_parameters():
        if name.endswith(("norm.weight", "norm.bias")):
            assert (value == float(name.endswith("weight"))).all()


@pytest.mark.parametrize(
    ("network", "bound"),
    [
        (build(scaling.get("mnasnet_a1"), seed=3, init="fan_out"), 1280**-0.5),
        (build_named("mnasnet_a1", seed=3), 1000**-0.5),
        (build_named("proxyless_mobile", seed=3), 1280**-0.5),
    ],
)
def test_classifiers_are_drawn_evenly(network, bound):
    assert network.classifier.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert not network.classifier.bias.any()


def test_a_named_network_is_the_catalogues_and_an_unknown_init_is_refused():
    slim = build_named("mobilenet_v2", width_mult=0.5, resolution=96)
    assert slim.arch == scaling.get("mobilenet_v2", width_mult=0.5, resolution=96)
    says = "init is one of fan_out, mnasnet, proxyless, slim, not 'he'"
    with pytest.raises(ValueError, match=says):
        build(SMALL, init="he")


def test_channels_of_the_cnn_double():
    """9·(1·w + w·2w + 2w·4w) weights, two per channel for normalisation, the linear layer."""
    w = 6
    convolutions = 9 * (w + 2 * w * w + 8 * w * w)
    assert cost.param_count(cnn(w)) == convolutions + 2 * 7 * w + 4 * w * 10 + 10
    assert cost.param_count(cnn(w, depth=1, pool=3)) == 9 * w + 2 * w + 9 * w * 10 + 10
