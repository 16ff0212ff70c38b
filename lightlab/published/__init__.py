"""Published numbers and claims, as data with their sources, and the one reader of them."""

import io
from importlib import resources
from typing import Any

import pandas as pd
import yaml

_HERE = resources.files(__name__)
_FIELDS = {"id", "sentence", "source", "kind", "published", "measured", "profile"}
_OPTIONAL = {"unit", "holds_in", "note"}
KINDS = ("exact", "within", "order", "shape", "test")
PROFILES = ("smoke", "quick", "cifar10", "paper")


def claims(notebook: str) -> dict[str, dict[str, Any]]:
    """The claims that a notebook checks, by id; ValueError where the file is not well formed."""
    path = _HERE / "claims" / f"{notebook}.yaml"
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = {}
    for claim in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
        where = f"claims/{notebook}.yaml, {claim.get('id', '?')}"
        missing, extra = _FIELDS - claim.keys(), claim.keys() - _FIELDS - _OPTIONAL
        if missing or extra:
            raise ValueError(f"{where}: missing {sorted(missing)}, unknown {sorted(extra)}")
        if claim["kind"] not in KINDS or claim["profile"] not in PROFILES:
            raise ValueError(f"{where}: kind is one of {KINDS}, profile one of {PROFILES}")
        if claim["id"] in found:
            raise ValueError(f"{where}: the id stands twice")
        found[claim["id"]] = claim | {"holds_in": _interval(claim, where)}
    return found


def read_yaml(name: str) -> Any:
    """A YAML file beside this module, e.g. `read_yaml("space_sizes.yaml")`."""
    return yaml.safe_load((_HERE / name).read_text(encoding="utf-8"))


def read_csv(name: str) -> pd.DataFrame:
    """A CSV table beside this module; its head, lines after "#", is in `attrs["source"]`."""
    text = (_HERE / name).read_text(encoding="utf-8")
    head = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    table = pd.read_csv(io.StringIO(text), comment="#")
    table.attrs["source"] = " ".join(head)
    return table


def _interval(claim: dict[str, Any], where: str) -> list[float | None]:
    """Where the measured value has to lie: [low, high], None for an open end."""
    if claim["kind"] == "exact":
        if not isinstance(claim["published"], int | float):
            raise ValueError(f"{where}: an exact claim needs a number in `published`")
        return [claim["published"], claim["published"]]
    interval = claim.get("holds_in")
    if not (isinstance(interval, list) and len(interval) == 2 and interval != [None, None]):
        raise ValueError(f"{where}: needs holds_in: [low, high] (null for an open end)")
    return interval
