"""How many points a space has, computed exactly from its decisions and options."""

import math
from typing import Any

import pandas as pd

from lightlab.chapters.ch01_search_spaces.game import MNK
from lightlab.published import loader


def size(definition: Any) -> int:
    """Number of points of a space, an exact integer.

    A list is a decision (as many points as options); {"all": {…}} multiplies independent
    decisions, {"any": {…}} adds alternatives, {"repeat": n, "of": …} decides n times.
    """
    if isinstance(definition, list) and definition:
        return len(definition)
    match definition:
        case {"all": dict(parts), **rest} if parts and not rest:
            return math.prod(size(part) for part in parts.values())
        case {"any": dict(parts), **rest} if parts and not rest:
            return sum(size(part) for part in parts.values())
        case {"repeat": int(times), "of": part, **rest} if times > 0 and not rest:
            return size(part) ** times
    raise ValueError(f"not a definition of a space: {definition!r}")


def known_spaces() -> pd.DataFrame:
    """The spaces of `published/space_sizes.yaml`, smallest first.

    Columns: name, group, size (exact integers; published estimates as float), log10_size, origin
    ("computed" from the definition, "counted" by playing, "published"), source.
    """
    rows = []
    for space in loader.read_yaml("space_sizes.yaml"):
        if "define" in space:
            points, origin = size(space["define"]), "computed"
        elif "game" in space:
            points, origin = sum(map(len, MNK(*space["game"]).positions())), "counted"
        else:
            points, origin = space["published"], "published"
        rows.append(
            {
                "name": space["name"],
                "group": space["group"],
                "size": points,
                "log10_size": math.log10(points),
                "origin": origin,
                "source": space["source"],
            }
        )
    frame = pd.DataFrame(rows, dtype=object).astype({"log10_size": float})
    return frame.sort_values("log10_size", ignore_index=True)
