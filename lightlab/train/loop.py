"""The loop that every training goes through: steps, rows, and checkpoints to go on from."""

import ctypes
import errno
import functools
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from lightlab import disk
from lightlab.data import Split
from lightlab.train.descent import Recipe

_BAR_AFTER_S = 2.0
HIDDEN = {"disable": True}  # a bar; any value would override TQDM_DISABLE, None hides in JupyterLab
_VERSION = 4  # raise it when what a training keeps changes


class Keeper:
    """Writes and reads the checkpoint of one training; ValueError where that is not possible."""

    def __init__(
        self,
        path: Path | str,
        model: nn.Module,
        split: Split,
        val: Split | None,
        recipe: Recipe,
        teacher: nn.Module | Tensor | None,
        **settings: Any,
    ) -> None:
        self.path = Path(path)
        identity = {
            "version": _VERSION,
            "recipe": asdict(recipe),
            "network": _hash(model),
            "training images": _hash(split),
            "validation images": _hash(val),
            "teacher": _hash(teacher),
            **settings,
        }
        self._identity = json.loads(json.dumps(identity))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise ValueError(
                f"cannot write a checkpoint in {self.path.parent} ({error.strerror})"
            ) from None

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file as a whole, or not at all."""
        kept = io.BytesIO()  # a file that torch writes itself fails in words of its own
        torch.save({"identity": self._identity, "state": state}, kept)
        try:
            disk.write(self.path, lambda part: part.write_bytes(kept.getbuffer()))
        except OSError as error:
            raise ValueError(f"cannot write the checkpoint {self.path} ({error})") from None

    def read(self) -> dict[str, Any]:
        """What was written; ValueError if it is of another training or damaged."""
        try:
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
            identity, state = kept["identity"], kept["state"]
        except Exception as error:  # damage shows in many ways
            reason = "damaged, or of an older version"
            if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that is a cut file's
                reason = error.strerror
            raise ValueError(
                f"{self.path} is no checkpoint that can be read ({reason}): delete it to begin anew"
            ) from None
        mine, before = self._identity, identity.get("recipe", {})
        other = [k for k, v in mine.items() if identity.get(k) != v and k != "recipe"]
        other += [
            f"recipe.{k} ({v}, was {before.get(k)})"
            for k, v in mine["recipe"].items()
            if before.get(k) != v
        ]
        if other:
            raise ValueError(
                f"{self.path} is a checkpoint of another training, it differs in "
                f"{', '.join(other)}: give another path, or delete it to begin anew"
            )
        return state


def _hash(what: nn.Module | Split | Tensor | None) -> str | None:
    """SHA-256 of a network's layers, and of shapes and bytes."""
    if what is None:
        return None
    if isinstance(what, nn.Module):
        text, tensors = str(what), what.state_dict().values()
    else:
        text, tensors = "", [what.x, what.y] if isinstance(what, Split) else [what]
    kinds = [[str(t.dtype), *t.shape] for t in tensors]
    flat = (t.detach().cpu().contiguous().flatten() for t in tensors)
    return disk.digest([text, kinds], *(t.view(torch.uint8).numpy() for t in flat))


class Batches:
    """Images in batches, shuffled anew whenever too few are left; `order` are those to come."""

    def __init__(self, split: Split, device: torch.device | str) -> None:
        self.x, self.y = split.x.to(device), split.y.to(device)
        self.order = torch.empty(0, dtype=torch.long, device=device)

    def next(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Images (n, C, H, W), labels (n,) and their numbers (n,); all where there are fewer."""
        n = min(n, len(self.y))
        if len(self.order) < n:
            drawn = torch.randperm(len(self.y), generator=generator)
            self.order = drawn.to(self.y.device)  # once an epoch: batches are parts of it there
        index, self.order = self.order[:n], self.order[n:]
        return self.x[index], self.y[index], index


class Run:
    """A training in progress: the network, and all else that its steps change.

    A kind of training gives `step`, which counts `steps` and says when it is `done`, `report`,
    which adds to `rows`, and in KEPT the names of its own numbers, texts and lists of such.
    """

    KEPT: tuple[str, ...] = ()

    def __init__(
        self,
        network: nn.Module,
        batches: Mapping[str, Batches],
        optimizers: Mapping[str, torch.optim.Optimizer],
        seed: int,
        n_steps: int,
        rows_every: int,
        keep_every: int,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last).train()
        self.device = next(network.parameters()).device
        self.batches, self.optimizers = batches, dict(optimizers)
        self.seed, self.generator = seed, torch.Generator().manual_seed(seed)
        self.n_steps, self.rows_every, self.keep_every = n_steps, rows_every, keep_every
        self.steps, self.done = 0, False
        self.rows: list[dict[str, Any]] = []
        self.losses: list[float] = []  # since the last row

    def step(self) -> None:
        raise NotImplementedError

    def report(self) -> None:
        raise NotImplementedError

    @property
    def due(self) -> bool:
        return self.done or self.steps % self.rows_every == 0

    @property
    def keeps(self) -> bool:
        return self.done or self.steps % self.keep_every == 0

    def go(self, keeper: Keeper | None, first: bool = False, progress: bool = False) -> None:
        """Make all steps, from the checkpoint on where there is one, else with a row before the
        `first`.
        """
        look = {"total": self.n_steps, "unit": "step", "leave": False, "delay": _BAR_AFTER_S}
        look |= HIDDEN if not progress else {}
        gpus = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=gpus):  # dropout takes its numbers from global state
            torch.manual_seed(self.seed)
            if keeper is not None and keeper.path.exists():
                self.restore(keeper.read())
            elif first:
                self.report()
            with tqdm(initial=self.steps, **look) as bar:
                while not self.done:
                    self.step()
                    if self.due:
                        self.report()
                    if keeper is not None and self.keeps:
                        keeper.write(self.state())
                    bar.update()

    def state(self) -> dict[str, Any]:
        """Tensors and plain values from which `restore` goes on bit for bit."""
        names = ("steps", "done", "rows", "losses", *self.KEPT)
        cuda = self.device.type == "cuda"
        return {
            "network": self.network.state_dict(),
            "optimizers": {k: one.state_dict() for k, one in self.optimizers.items()},
            "orders": {k: one.order.clone() for k, one in self.batches.items()},
            "generator": self.generator.get_state(),
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
            "values": {name: getattr(self, name) for name in names},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Optimisers keep the memory formats: another would change the order of sums."""
        self.network.load_state_dict(state["network"])
        for k, one in self.optimizers.items():
            one.load_state_dict(state["optimizers"][k])
        for k, one in self.batches.items():
            one.order = state["orders"][k].to(self.device)
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)
        for name, value in state["values"].items():
            setattr(self, name, value)


@functools.cache
def keep_large_buffers() -> None:
    """Tell glibc to keep freed memory: giving activations back costs page faults at every step, up
    to a third of the time of a large network.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
