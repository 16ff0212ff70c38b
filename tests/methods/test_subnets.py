"""Sub-networks are cut out, calibrated, evaluated and delivered."""

import pytest
import torch

from lightlab import deploy, train
from lightlab.methods import phases, subnets
from lightlab.methods.shrinking import shrink
from tests.methods.conftest import TINY as SPACE


@pytest.fixture(scope="module")
def net(digits):
    recipe = train.Recipe(4, batch_size=16, lr=0.05)
    return shrink(SPACE, digits, phases.progressive(12)[:1], recipe, n_rows=0).network


def test_corners_of_several_networks_are_evaluated_side_by_side(digits, net):
    found = subnets.evaluate_corners({("a", 0): net, ("b", 1): net}, digits, "val")
    assert found.groupby(["arm", "seed"]).size().to_dict() == {("a", 0): 8, ("b", 1): 8}
    assert found["accuracy"].between(0, 100).all()
    corners = subnets.corners(SPACE)
    assert (min(corners), max(corners)) == ("D1 W2 K3", "D2 W4 K5")
    assert len(set(corners.values())) == 8
    alone = subnets.accuracies(net, corners.values(), digits.train.x, digits.val)
    assert found["accuracy"].tolist() == pytest.approx([*alone, *alone])
    kept = subnets.evaluate_corners({("a", 0): net}, digits, "val", n_calibrate=None)
    assert kept["accuracy"].tolist() != pytest.approx(alone)


def test_samples_are_distinct_and_independent_of_workers(digits, net):
    found = subnets.sample(net, digits, 12)
    assert len({tuple(p) for p in found.points.tolist()}) == 12
    again = subnets.accuracies(net, found.points.tolist(), digits.train.x, digits.val)
    assert found.accuracy == pytest.approx(again)
    assert found.seconds > 0


def test_calibration_images_are_always_the_same(digits, net):
    point = SPACE.smallest()
    nets = [subnets.specialise(net, point, digits.train.x, 40) for _ in range(2)]
    assert torch.equal(nets[0].stem.norm.running_mean, nets[1].stem.norm.running_mean)
    kept = subnets.specialise(net, point, digits.train.x, None)
    assert torch.equal(kept.stem.norm.running_mean, net.stem.norm.running_mean)
    (whole,) = subnets.largest({3: net}, digits).values()
    assert whole.arch == SPACE.decode(SPACE.corner())
    assert not torch.equal(whole.stem.norm.running_mean, net.stem.norm.running_mean)


def test_a_network_of_one_resolution_needs_no_scaling(digits):
    x = digits.train.x
    assert subnets.at_resolution(x, 16) is x
    assert subnets.at_resolution(x, 8).shape[-2:] == (8, 8)
    flat = torch.ones(2, 1, 16, 16)
    assert torch.allclose(subnets.at_resolution(flat, 12), torch.ones(2, 1, 12, 12))


def test_a_specialised_network_is_delivered_as_a_file(digits, net, tmp_path):
    network = subnets.specialise(net, SPACE.smallest(), digits.train.x)
    path = tmp_path / "specialised.onnx"
    assert subnets.deliver(network, digits, path) < 1e-4
    running = deploy.session(path)
    logits = running.run(None, {"input": digits.test.x.numpy()})[0]
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(logits), network(digits.test.x), atol=1e-4)
