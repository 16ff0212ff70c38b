"""Elastic layers: sub-networks inside and outside give equal outputs, sorting changes nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightlab.chapters.ch10_once_for_all.experiment import load_elastic, save_elastic
from lightlab.measure import cost
from lightlab.nets import weights
from lightlab.nets.elastic import ElasticNetwork, recalibrate
from lightlab.space import scaling
from lightlab.space.once_for_all import OFA_MOBILENET_V3, OfaSpace, like_mobilenet_v3
from lightlab.space.skeleton import Skeleton
from tests.nets.conftest import lively

PLAIN = Skeleton.small((3, 16, 16), 10, [16, 24], layers=2)
SPACES = {
    style: OfaSpace(frame, depths=(1, 2), resolutions=(12, 16))
    for style, frame in (("proxyless", PLAIN), ("mobilenet_v3", like_mobilenet_v3(PLAIN)))
}
TOLERANCE = 1e-5  # of the largest output: the same sums, perhaps in another order


NETS = {style: lively(ElasticNetwork(space)) for style, space in SPACES.items()}


def images(resolution=16, n=4):
    return torch.randn(n, 3, resolution, resolution, generator=torch.Generator().manual_seed(1))


def apart(a, b):
    return float((a - b).detach().abs().max() / a.detach().abs().max())


@settings(max_examples=60)
@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32 - 1), st.booleans())
def test_a_sub_network_is_the_network_cut_out(style, seed, training):
    space, net = SPACES[style], NETS[style].train(training)
    point = space.sample(np.random.default_rng(seed))
    net.activate(point)
    x, cut = images(net.active_arch.resolution), net.extract(point)
    assert cut.arch == space.decode(point)
    assert cost.param_count(cut) == cost.param_count(cut.arch)
    with torch.no_grad():
        assert apart(net(x), cut(x)) < TOLERANCE


def test_the_published_supernet_has_the_published_weights():
    net = ElasticNetwork(OfaSpace(OFA_MOBILENET_V3))
    assert sum(p.numel() for p in net.parameters()) == 7_664_760 + 20 * (625 + 81)
    arch = scaling.get("ofa_d2_w3_k3")
    assert net.extract(arch).arch == arch


def test_an_extracted_network_shares_no_memory():
    net = lively(ElasticNetwork(SPACES["proxyless"]))
    cut = net.extract(SPACES["proxyless"].smallest())
    before = net.state_dict()["stem.conv.weight"].clone()
    with torch.no_grad():
        for value in cut.state_dict().values():
            value.zero_()
    assert torch.equal(net.state_dict()["stem.conv.weight"], before)
    assert net.active_arch == SPACES["proxyless"].decode(SPACES["proxyless"].corner())


def test_a_small_kernel_is_the_centre_times_the_matrices():
    layer = lively(ElasticNetwork(SPACES["proxyless"])).elastic[0].depthwise
    seven = layer.conv.weight
    five = (seven[:, 0, 1:6, 1:6].flatten(1) @ layer.transforms["5"].T).view(-1, 5, 5)
    three = (five[:, 1:4, 1:4].flatten(1) @ layer.transforms["3"].T).view(-1, 3, 3)
    for size, wanted in ((7, seven[:, 0]), (5, five), (3, three)):
        layer.active_kernel = size
        torch.testing.assert_close(layer.weight()[:, 0], wanted)


def test_gradients_reach_only_what_took_part():
    net = lively(ElasticNetwork(SPACES["proxyless"])).train()
    net.activate(net.space.corner(depth=1, expand=3, kernel=5))
    net(images()).sum().backward()
    block, skipped = net.elastic[0], net.elastic[1]
    wide = 3 * block.in_channels
    grad = block.expand.conv.weight.grad
    assert grad[:wide].abs().sum() > 0
    assert not grad[wide:].any()
    assert block.depthwise.transforms["5"].grad is not None
    assert block.depthwise.transforms["3"].grad is None
    assert skipped.expand.conv.weight.grad is None


@pytest.mark.parametrize("style", SPACES)
@pytest.mark.parametrize("random", [False, True])
def test_sorting_leaves_the_output_of_the_full_network(style, random):
    net = lively(ElasticNetwork(SPACES[style]))
    generator = torch.Generator().manual_seed(3) if random else None
    before = net(images())
    order = [block.importance() for block in net.elastic]
    net.sort_channels(generator=generator)
    assert apart(before, net(images())) < TOLERANCE
    for block, values in zip(net.elastic, order, strict=True):
        now = block.importance()
        torch.testing.assert_close(now.sort().values, values.sort().values)
        if not random:
            torch.testing.assert_close(now, values.sort(descending=True).values)


@pytest.mark.parametrize("style", SPACES)
def test_a_later_sorting_keeps_the_widths_that_were_open(style):
    net = lively(ElasticNetwork(SPACES[style]))
    x = images()
    for expand in (6, 4):
        net.activate(net.space.corner(expand=expand))
        before = net(x)
        net.sort_channels(opened=(6, 4))
        assert apart(before, net(x)) < TOLERANCE
    block = net.elastic[0]
    inner = block.importance()[: 4 * block.in_channels]
    torch.testing.assert_close(inner, inner.sort(descending=True).values)


def test_calibration_is_the_mean_over_batches():
    net = NETS["proxyless"].extract(SPACES["proxyless"].corner())
    x = images(n=40)
    recalibrate(net, x, batch_size=20)
    maps = torch.stack([net.stem.conv(part).mean((0, 2, 3)) for part in x.split(20)])
    torch.testing.assert_close(net.stem.norm.running_mean, maps.mean(0))
    assert net.stem.norm.momentum == 0.1
    recalibrate(net, x[:0])
    assert not net.stem.norm.running_mean.any()
    assert (net.stem.norm.running_var == 1).all()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_file_keeps_the_network(memory_format, tmp_path):
    net = lively(ElasticNetwork(SPACES["mobilenet_v3"])).to(memory_format=memory_format)
    path = tmp_path / "supernet.safetensors"
    save_elastic(net, path)
    again = load_elastic(path, net.space)
    before, after = net.state_dict(), again.state_dict()
    assert all(before[k].stride() == after[k].stride() for k in before)  # sums in the same order
    point = net.space.smallest()
    net.activate(point)
    again.activate(point)
    assert torch.equal(net(images(12)), again(images(12)))
    with pytest.raises(ValueError, match="of this space, it differs in largest"):
        load_elastic(path, SPACES["proxyless"])
    weights.write(net.half(), path, net.space.identity())
    with pytest.raises(ValueError, match=r"float16, not \(.*\) float32"):
        load_elastic(path, net.space)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda net: net.activate(scaling.get("ofa_max")), "another stem"),
        (lambda net: net.extract((0,) * 3), "entries"),
        (lambda net: net.eval()(images(12)), "for images of 16 px, not of 12 px"),
    ],
)
def test_what_is_not_of_the_space_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call(ElasticNetwork(SPACES["proxyless"]))
