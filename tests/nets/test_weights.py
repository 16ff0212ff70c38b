"""Networks on disk: the same network comes back, anything else is refused in one line."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from lightlab.nets.build import build
from lightlab.nets.weights import WeightsError, load_network, save_weights
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
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_loaded_network_can_be_trained_further(network, tmp_path):
    save_weights(network, tmp_path / "n.safetensors")
    again = load_network(tmp_path / "n.safetensors").train()
    again(torch.randn(4, *ARCH.input_shape)).sum().backward()
    assert all(p.grad is not None for p in again.parameters())


def test_weights_that_lie_in_a_way_of_their_own_are_kept_all_the_same(tmp_path):
    network = build(ARCH, seed=5)
    turned = network.classifier.weight.detach().t().contiguous().t()
    network.classifier.weight = torch.nn.Parameter(turned)
    assert not turned.is_contiguous()
    save_weights(network, tmp_path / "n.safetensors")
    assert torch.equal(load_network(tmp_path / "n.safetensors").classifier.weight, turned)


def _bytes(path):
    path.write_bytes(b"no weights at all")


def _folder(path):
    path.mkdir()


def _cut(path):
    save_weights(build(ARCH), path)
    path.write_bytes(path.read_bytes()[:-100])


def _nameless(path):
    save_file(build(ARCH).state_dict(), path)


def _other_network(path):
    save_file(build(ARCH).state_dict(), path, {"arch": encode(ARCH).replace("c8", "c9", 1)})


def _impossible_arch(path):
    huge = encode(ARCH).replace("c8", f"c{10**18}", 1)
    save_file(build(ARCH).state_dict(), path, {"arch": huge})


def _unreadable_arch(path):
    save_file(build(ARCH).state_dict(), path, {"arch": "r9x2 pool_k3 head_n4"})


def _missing_weight(path):
    save_weights(build(ARCH), path)
    state = load_file(path)
    del state["classifier.bias"]
    save_file(state, path, {"arch": encode(ARCH)})


def _half(path):
    save_file(build(ARCH).half().state_dict(), path, {"arch": encode(ARCH)})


def _no_number(path):
    state = build(ARCH).state_dict()
    state["classifier.weight"][0, 0] = float("nan")
    save_file(state, path, {"arch": encode(ARCH)})


def _impossible_format(path):
    about = {"arch": encode(ARCH), "channels_last": '["classifier.weight"]'}
    save_file(build(ARCH).state_dict(), path, about)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda _: None, "no such file"),
        (_bytes, "is no safetensors file"),
        (_folder, "is no safetensors file"),
        (_cut, "is no safetensors file"),
        (_nameless, "names no architecture"),
        (_other_network, "not its architecture's: "),
        (_impossible_arch, "overflow"),
        (_unreadable_arch, "begins with none of"),
        (_missing_weight, "not its architecture's: classifier.bias is missing"),
        (_half, r"float16, not \(.*\) float32"),
        (_no_number, "classifier.weight holds NaN"),
        (_impossible_format, "its memory formats cannot be read"),
    ],
)
def test_any_other_file_is_refused_in_one_line(write, says, tmp_path):
    path = tmp_path / "x.safetensors"
    write(path)
    with pytest.raises(WeightsError, match=says) as error:
        load_network(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
