"""Networks on disk: the same network comes back, anything else is refused in one line."""

import pytest
import torch
from safetensors.torch import save_file

from lightlab.nets.build import build
from lightlab.nets.weights import load_network, save_weights
from lightlab.space.arch import decode, encode

ARCH = decode("r9x2 conv_k3_s2_c8 mb_k3_s1_e3_c8_se0.25x_hswish head_h6_hswish_n4")


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last])
def network(request):
    network = build(ARCH, seed=5)
    network.train()(torch.randn(8, *ARCH.input_shape))  # moves the running statistics
    return network.to(memory_format=request.param)


def test_a_network_comes_back_as_it_was(network, tmp_path):
    path = tmp_path / "größe.safetensors"
    save_weights(network, path)
    again = load_network(path)
    assert again.arch == ARCH
    assert not again.training
    before, after = network.state_dict(), again.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert all(before[k].stride() == after[k].stride() for k in before)  # sums in the same order
    x = torch.randn(3, *ARCH.input_shape)
    assert torch.equal(again(x), network.eval()(x))
    again.train()(torch.cat([x, x])).sum().backward()
    assert all(p.grad is not None for p in again.parameters())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_weights_that_lie_in_a_way_of_their_own_are_kept_all_the_same(tmp_path):
    network = build(ARCH, seed=5)
    turned = network.classifier.weight.detach().t().contiguous().t()
    network.classifier.weight = torch.nn.Parameter(turned)
    assert not turned.is_contiguous()
    save_weights(network, tmp_path / "n.safetensors")
    assert torch.equal(load_network(tmp_path / "n.safetensors").classifier.weight, turned)


TEXT, STATE = encode(ARCH), build(ARCH).state_dict()
HALF = build(ARCH).half().state_dict()
WITHOUT = {name: value for name, value in STATE.items() if name != "classifier.bias"}
NAN = STATE | {"classifier.weight": torch.full((4, 6), float("nan"))}


@pytest.mark.parametrize(
    ("state", "about", "says"),
    [
        (STATE, None, "names no architecture"),
        (STATE, {"arch": TEXT.replace("c8", "c9", 1)}, "not its architecture's: "),
        (STATE, {"arch": TEXT.replace("c8", f"c{10**18}", 1)}, "overflow"),
        (STATE, {"arch": "r9x2 pool_k3 head_n4"}, "begins with none of"),
        (STATE, {"channels_last": '["classifier.weight"]'}, "its memory formats cannot be read"),
        (WITHOUT, {}, "not its architecture's: classifier.bias is missing"),
        (HALF, {}, r"float16, not \(.*\) float32"),
        (NAN, {}, "classifier.weight holds NaN"),
    ],
)
def test_weights_of_anything_else_are_refused_in_one_line(state, about, says, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(state, path, about if about is None else {"arch": TEXT} | about)
    refused(path, says)


def refused(path, says):
    with pytest.raises(ValueError, match=says) as error:
        load_network(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_whole_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "x.safetensors"
    refused(path, "no such file")
    refused(tmp_path, "is no safetensors file")
    save_weights(build(ARCH), path)
    for content in (path.read_bytes()[:-100], b"no weights at all"):
        path.write_bytes(content)
        refused(path, "is no safetensors file")
