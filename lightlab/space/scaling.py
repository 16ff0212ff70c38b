"""Width and resolution multipliers as in the papers' code, and the papers' networks by name."""

import difflib
import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from lightlab.published import read_yaml
from lightlab.space.arch import Arch, decode
from lightlab.space.blocks import Block, make_divisible, require

# How a family applies the width multiplier: it rounds channels, and the head's last layer (`hidden`
# where there is one, else `features`) scales, grows (only beyond 1) or is fixed.
WIDTH_RULES: dict[str, tuple[Callable[[float], int], str]] = {
    "mobilenet_v1": (lambda width: max(int(width), 8), "scales"),
    "mobilenet_v2": (make_divisible, "grows"),
    "mobilenet_v3": (make_divisible, "grows"),
    "mnasnet": (make_divisible, "fixed"),
    "scaled": (make_divisible, "scales"),
}
MAX_WIDTH_MULT = 1000  # beyond it no layer would fit into any memory


def scale(
    arch: Arch, *, width_mult: float = 1.0, resolution: int | None = None, rule: str = "scaled"
) -> Arch:
    """`arch` with every width times `width_mult` and for images of `resolution` px.

    `rule` is one of WIDTH_RULES: the rounding of the paper that `arch` comes from. ValueError on an
    impossible multiplier, or a rule that does not exist.
    """
    require(
        {
            f"0 < width_mult <= {MAX_WIDTH_MULT}": 0 < width_mult <= MAX_WIDTH_MULT,
            f"rule is one of {', '.join(WIDTH_RULES)}": rule in WIDTH_RULES,
        },
        "scale",
    )
    if resolution is not None:
        arch = replace(arch, resolution=resolution)
    if width_mult == 1:
        return arch
    rounded, of_last = WIDTH_RULES[rule]

    def scaled(width: int, by: float = width_mult) -> int:
        return rounded(width * by) if width and by != 1 else width

    def block(b: Block) -> Block:
        return replace(b, out_channels=scaled(b.out_channels))

    head, last = arch.head, {"scales": width_mult, "grows": max(1.0, width_mult), "fixed": 1.0}
    features = scaled(head.features, width_mult if head.hidden else last[of_last])
    head = replace(head, features=features, hidden=scaled(head.hidden, last[of_last]))
    return replace(arch, stem=block(arch.stem), blocks=tuple(map(block, arch.blocks)), head=head)


def widths(arch: Arch, width_mults: Iterable[float]) -> list[Arch]:
    """`arch` in these widths, without those that round to the same network."""
    return list(dict.fromkeys(scale(arch, width_mult=float(w)) for w in width_mults))


def adapt(
    arch: Arch, *, resolution: int, in_channels: int, n_classes: int, min_map: int = 2
) -> Arch:
    """`arch` for other images: their size, channels and classes; ValueError on impossible numbers.

    A stride that would leave maps under `min_map` px becomes 1, so that a network made for 224 px
    keeps its first strides on small images and loses its last.
    """
    require({"min_map >= 1": min_map >= 1}, "adapt")
    size, fitted = resolution, []
    for block in (arch.stem, *arch.blocks):
        if block.stride > 1 and -(-size // block.stride) < min_map:
            block = replace(block, stride=1)
        size = -(-size // block.stride)
        fitted.append(block)
    return Arch(resolution, fitted[0], tuple(fitted[1:]), arch.head, in_channels, n_classes)


ALIASES = {"ofa_min": "ofa_d2_w3_k3", "ofa_max": "ofa_d4_w6_k7"}


@dataclass(frozen=True)
class Entry:
    """A network of a paper and where it comes from.

    `width_rule` is a name of `WIDTH_RULES`, `init` one of `nets.build.INITS`. `published` holds
    what was printed: macs and params in millions, as text with the digits that stand there, and the
    `macs_convention` and `params_convention` that reproduce them (None: none does), top1 in per
    cent, latency_ms on a Pixel 1; a key is missing where nothing was printed.
    """

    name: str
    arch: Arch
    source: str
    width_rule: str
    init: str
    note: str = ""
    published: dict[str, Any] = field(default_factory=dict)


def names() -> list[str]:
    """Names of all networks, family by family; "ofa_min" and "ofa_max" are names too."""
    return list(_entries())


def entry(name: str) -> Entry:
    """The network `name` with its source; ValueError names the nearest where there is none."""
    found = _entries().get(ALIASES.get(name, name))
    if found is None:
        near = difflib.get_close_matches(name, [*_entries(), *ALIASES], n=1, cutoff=0)
        raise ValueError(f"no network {name!r}: the nearest name is {near[0]!r}")
    return found


def get(name: str, *, width_mult: float = 1.0, resolution: int | None = None) -> Arch:
    """The network `name`, scaled as its own paper's code rounds; ValueError as `entry`."""
    found = entry(name)
    return scale(found.arch, width_mult=width_mult, resolution=resolution, rule=found.width_rule)


@functools.cache
def _entries() -> dict[str, Entry]:
    found = []
    for raw in read_yaml("architectures.yaml"):
        if "template" not in raw:
            found.append(Entry(**raw | {"arch": decode(raw["arch"])}))
            continue
        template, values, published = (raw.pop(k) for k in ("template", "values", "published_of"))
        for combination in itertools.product(*values.values()):
            value = dict(zip(values, combination, strict=True))
            name = template.format(**value)
            arch = decode(raw["arch"].format(**value, rest=value.get("d", 1) - 1))
            own = {"name": name, "arch": arch, "published": published.get(name, {})}
            found.append(Entry(**raw | own))
    return {entry.name: entry for entry in found}
