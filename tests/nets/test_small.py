"""The small networks: shapes, the counts they should have, weights by seed."""

import pytest
import torch

from lightlab.measure import cost
from lightlab.nets import build


@pytest.mark.parametrize(
    "model",
    [
        build.mlp(256, (20, 10), 7),
        build.cnn(4, n_out=7),
        build.cnn(5, dropout=0.2, depth=2, pool=4, n_out=7),
    ],
)
def test_images_in_logits_out(model):
    out = model(torch.randn(3, 1, 16, 16))
    assert out.shape == (3, 7)
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("build", [build.cnn, lambda seed: build.mlp(9, seed=seed)])
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
    assert cost.param_count(build.cnn(w)) == convolutions + 2 * 7 * w + 4 * w * 10 + 10
    wide = build.cnn(w, depth=1, pool=3)
    assert cost.param_count(wide) == 9 * w + 2 * w + 9 * w * 10 + 10
