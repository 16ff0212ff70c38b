"""Networks as data. Every network of this workbook, from MobileNetV1 to what a search finds, is an
`Arch`: hashable, and written as text that names one block after another, "*n" for repeats:

    r224x3 conv_k3_s2_c32_relu6 mb_k3_s1_e1_c16_relu6 mb_k3_s2_e6_c24_relu6 … head_f1280_relu6_n1000
"""

from lightlab.space.arch.block import (
    ArchError,
    Block,
    decode_block,
    decode_blocks,
    encode_block,
    encode_blocks,
    make_divisible,
)
from lightlab.space.arch.layers import Layer, block_layers, head_layers, layers
from lightlab.space.arch.network import Arch, Head, decode, encode
from lightlab.space.arch.scaling import WIDTH_RULES, adapt, scale, without_se

__all__ = [
    "WIDTH_RULES",
    "Arch",
    "ArchError",
    "Block",
    "Head",
    "Layer",
    "adapt",
    "block_layers",
    "decode",
    "decode_block",
    "decode_blocks",
    "encode",
    "encode_block",
    "encode_blocks",
    "head_layers",
    "layers",
    "make_divisible",
    "scale",
    "without_se",
]
