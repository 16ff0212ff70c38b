"""The papers' networks by name, with what was printed about them (published/architectures.yaml)."""

import difflib
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lightlab.published import loader
from lightlab.space.arch.block import ArchError
from lightlab.space.arch.network import Arch, decode
from lightlab.space.arch.scaling import scale

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
    """The network `name` with its source; ArchError names the nearest where there is none."""
    found = _entries().get(ALIASES.get(name, name))
    if found is None:
        near = difflib.get_close_matches(name, [*_entries(), *ALIASES], n=1, cutoff=0)
        raise ArchError(f"no network {name!r}: the nearest name is {near[0]!r}")
    return found


def get(name: str, *, width_mult: float = 1.0, resolution: int | None = None) -> Arch:
    """The network `name`, scaled as its own paper's code rounds; ArchError as `entry`."""
    found = entry(name)
    return scale(found.arch, width_mult=width_mult, resolution=resolution, rule=found.width_rule)


@functools.cache
def _entries() -> dict[str, Entry]:
    return {e.name: e for raw in loader.read_yaml("architectures.yaml") for e in _expanded(raw)}


def _expanded(raw: dict[str, Any]) -> Iterator[Entry]:
    """The networks of one item of the file: one, or all that a template stands for."""
    if "template" not in raw:
        yield Entry(**raw | {"arch": decode(raw["arch"])})
        return
    template, values, published = (raw.pop(k) for k in ("template", "values", "published_of"))
    for combination in itertools.product(*values.values()):
        value = dict(zip(values, combination, strict=True))
        name = template.format(**value)
        arch = decode(raw["arch"].format(**value, rest=value.get("d", 1) - 1))
        yield Entry(**raw | {"name": name, "arch": arch, "published": published.get(name, {})})
