"""A network as after a training: what a new one has of ones and zeros has values of its own."""

import torch
from torch import nn

from lightlab.nets.elastic import ElasticConv


def lively(network, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                for value, low, high in (
                    (module.running_mean, -0.3, 0.3),
                    (module.running_var, 0.5, 2.0),
                    (module.weight, 0.2, 2.0),
                    (module.bias, -0.2, 0.2),
                ):
                    value.uniform_(low, high, generator=generator)
            if isinstance(module, ElasticConv):
                for matrix in module.transforms.values():
                    matrix.add_(0.2 * torch.randn(matrix.shape, generator=generator))
    return network.eval()
