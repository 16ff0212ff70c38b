"""The small networks: shapes, the counts they should have, weights by seed."""

import pytest
import torch

from lightlab.measure import cost
from lightlab.nets import small


@pytest.mark.parametrize(
    "model",
    [
        small.mlp(256, (20, 10), 7),
        small.cnn(4, n_out=7),
        small.cnn(5, dropout=0.2, depth=2, pool=4, n_out=7),
        small.mobilenet(0.25, n_out=7),
        small.mobilenet(0.25, separable=False, stem_stride=1, n_out=7),
    ],
)
def test_images_in_logits_out(model):
    out = model(torch.randn(3, 1, 16, 16))
    assert out.shape == (3, 7)
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    "build", [small.cnn, small.mobilenet, lambda seed: small.mlp(9, seed=seed)]
)
def test_weights_depend_on_the_seed_and_on_nothing_else(build):
    torch.manual_seed(4)
    expected = torch.rand(2)
    torch.manual_seed(4)
    a, b, c = build(seed=1), build(seed=1), build(seed=2)
    assert torch.equal(torch.rand(2), expected)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)
    assert any(not torch.equal(p, q) for p, q in zip(a.parameters(), c.parameters(), strict=True))


def test_cnn_channels_double():
    """9·(1·w + w·2w + 2w·4w) weights, two per channel for normalisation, the linear layer."""
    w = 6
    convolutions = 9 * (w + 2 * w * w + 8 * w * w)
    assert cost.param_count(small.cnn(w)) == convolutions + 2 * 7 * w + 4 * w * 10 + 10
    wide = small.cnn(w, depth=1, pool=3)
    assert cost.param_count(wide) == 9 * w + 2 * w + 9 * w * 10 + 10


def test_mobilenet_layers_are_table_1_of_howard_et_al():
    """Depthwise 9·C, pointwise C·C' of the rows kept, and the full twin's 9·C·C'."""
    rows = [(32, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    norms = 2 * 32 + sum(2 * (a + b) for a, b in rows)
    separable = 9 * 32 + sum(9 * a + a * b for a, b in rows) + norms + 5130
    assert cost.param_count(small.mobilenet(1.0)) == separable
    full = 9 * 32 + sum(9 * a * b + 2 * b for a, b in rows) + 2 * 32 + 5130
    assert cost.param_count(small.mobilenet(1.0, separable=False)) == full


def test_mobilenet_costs_shrink_as_the_multipliers_say():
    """About width² and, with the stem's stride, a quarter (section 3.3 and 3.4)."""
    shape = (1, 32, 32)
    one, half = (cost.count_macs(small.mobilenet(w), shape) for w in (1.0, 0.5))
    assert 3.5 < one / half < 4.0
    assert cost.count_macs(small.mobilenet(1.0, stem_stride=1), shape) / one == pytest.approx(
        4, rel=0.01
    )
    assert cost.count_macs(small.mobilenet(1.0), (1, 64, 64)) / one == pytest.approx(4, rel=0.01)
