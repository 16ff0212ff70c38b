"""Maps smaller than the kernel are padded before the convolution in training; nothing changes."""

import pytest
import torch

from lightlab.nets.blocks import ConvBNAct


@pytest.mark.parametrize(("side", "kernel", "stride"), [(2, 3, 1), (2, 3, 2), (1, 3, 1), (4, 7, 2)])
def test_padding_before_gives_the_same_outputs_and_gradients(side, kernel, stride):
    generator = torch.Generator().manual_seed(0)
    block = ConvBNAct(4, 4, kernel, stride=stride, groups=4).double()
    x = torch.randn(8, 4, side, side, generator=generator, dtype=torch.double)
    found = []
    for convolve in (block.conv, block.train()._convolve):
        block.zero_grad()
        out = convolve(x)
        out.square().sum().backward()
        found.append((out.detach(), block.conv.weight.grad.clone()))
    (out, gradient), (out_padded, gradient_padded) = found
    assert out.shape[-1] == -(-side // stride)
    torch.testing.assert_close(out_padded, out)
    torch.testing.assert_close(gradient_padded, gradient)
