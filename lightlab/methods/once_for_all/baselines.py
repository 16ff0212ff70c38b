"""What specialised sub-networks are compared with: the designs of MobileNetV2 and V3, scaled."""

from collections.abc import Sequence

from lightlab.space.arch import Arch
from lightlab.space.once_for_all import OfaSpace, like_mobilenet_v2, like_mobilenet_v3
from lightlab.space.scaling import scale

MOBILENET_V2, MOBILENET_V3 = "MobileNetV2's design", "MobileNetV3's design"


def families(
    space: OfaSpace, widths: Sequence[float], depth: int | None = None
) -> list[tuple[str, Arch]]:
    """The two designs in the skeleton of `space`, of each width and resolution, with at most
    `depth` layers a stage.

    MobileNetV2's: the largest expansion and kernel 3 everywhere, ReLU6; MobileNetV3's: that with
    squeeze-excite and h-swish, and kernel 5 wherever it squeezes, as in its large network.
    """
    plain = like_mobilenet_v2(space.skeleton)
    designs = {MOBILENET_V2: plain, MOBILENET_V3: like_mobilenet_v3(plain)}
    found = []
    for name, frame in designs.items():
        blocks = [
            frame.mbconv(i, j, 5 if stage.se_ratio else 3, space.expands[-1])
            for i, stage in enumerate(frame.stages)
            for j in range(stage.layers)[:depth]
        ]
        whole = frame.arch(blocks)
        scaled = [
            scale(whole, width_mult=w, resolution=px) for w in widths for px in space.resolutions
        ]
        found += [(name, arch) for arch in dict.fromkeys(scaled)]
    return found
