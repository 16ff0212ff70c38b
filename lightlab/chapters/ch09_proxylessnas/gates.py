"""The forms of an architecture step: how right their gradients are, their memory and their time.

Gradients are checked on a mixed operation small enough to enumerate: three candidates scale a
number, the loss of what comes out is linear or a square. The exact gradient of the expected loss by
the logits is a sum over the paths; every form estimates it from one draw.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from lightlab import train
from lightlab.measure import stats
from lightlab.measure.machine import torch_threads
from lightlab.nets.mixed import FORMS, MixedOp, Supernet
from lightlab.space.proxyless import Position, ProxylessSpace
from lightlab.space.skeleton import Skeleton

BY, LOGITS, WANTED = (1.0, -0.5, 0.4), (0.5, 0.1, -0.4), 0.6
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear loss": lambda y: y.sum(),
    "squared loss": lambda y: _squared(y, WANTED),
}
WEIGHT_STEP = "one"  # of one path: what training a compact network keeps
GRADIENTS = ("sum", "all", "two", WEIGHT_STEP)


class _Scale(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return self.by * x


def _squared(y: Tensor, wanted: float) -> Tensor:
    return ((y - wanted) ** 2).sum()


def toy(logits: Sequence[float] = LOGITS, by: Sequence[float] = BY) -> MixedOp:
    """A mixed operation of these logits, whose candidates multiply by these numbers."""
    mixed = MixedOp(Position("toy", (1, 1), {}))
    mixed.candidates = nn.ModuleList(_Scale(float(b)) for b in by)
    mixed.arch_logits = nn.Parameter(torch.tensor(logits, dtype=torch.float32))
    return mixed


def exact(mixed: MixedOp, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """Gradient of sum_i p_i loss(o_i), (N,)."""
    outputs = [loss(candidate(torch.ones(1))) for candidate in mixed.candidates]
    expected = mixed.probabilities() @ torch.stack(outputs)
    return torch.autograd.grad(expected, mixed.arch_logits)[0]


def estimate(
    mixed: MixedOp, loss: Callable[[Tensor], Tensor], form: str, generator: torch.Generator
) -> Tensor:
    """The gradient that a step of that form takes, from one draw, (N,)."""
    mixed.draw(form, generator)
    value = loss(mixed(torch.ones(1)))
    if form == "reinforce":
        value = value.detach() * mixed.arch_logits.log_softmax(0)[mixed.active]
    return torch.autograd.grad(value, mixed.arch_logits)[0]


def estimates(n_draws: int, seed: int = 0) -> pd.DataFrame:
    """Every form and loss: the exact gradient, the mean over the draws, and sd of one draw."""
    rows, mixed = [], toy()
    for name, loss in LOSSES.items():
        wanted = exact(mixed, loss).numpy()
        for form in FORMS:
            generator = torch.Generator().manual_seed(seed)
            drawn = [estimate(mixed, loss, form, generator) for _ in range(n_draws)]
            for i, values in enumerate(torch.stack(drawn).double().numpy().T):
                found = (*stats.mean_ci(values), float(np.std(values)))
                rows.append((name, form, i, float(wanted[i]), *found))
    columns = ["loss", "form", "logit", "exact", "mean", "ci_low", "ci_high", "sd"]
    return pd.DataFrame(rows, columns=columns)


def downhill(n_toys: int, n_draws: int, seed: int = 0) -> np.ndarray:
    """Cosines of mean two-path and exact gradients, squared loss, of random toys, (n_toys,)."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n_toys):
        mixed, wanted = toy(rng.normal(size=3), rng.normal(size=3)), rng.normal()
        loss = partial(_squared, wanted=wanted)
        drawn = [estimate(mixed, loss, "two", generator) for _ in range(n_draws)]
        mean = torch.stack(drawn).mean(0)
        found.append(torch.cosine_similarity(mean, exact(mixed, loss), dim=0).item())
    return np.array(found)


def steps(
    skeleton: Skeleton,
    n_candidates: Sequence[int],
    batch: int,
    rounds: int = 5,
    device: str | None = None,
) -> pd.DataFrame:
    """Each form of GRADIENTS with each number of equal candidates, forward and backward, timed in
    turn.

    mib: kept by autograd; cuda_mib: peak above the weights, NaN without a GPU; ms: median of the
    rounds on one thread. `device` is "cpu" or "cuda", None the GPU where there is one.
    """
    device = device or train.accelerator(math.inf)
    ready: dict[tuple[str, int], Callable[[], Tensor]] = {}
    rows = []
    for n in n_candidates:
        designs = {f"copy_{i}": (3, 6) for i in range(n)}  # only their number changes
        net = Supernet(ProxylessSpace(skeleton, designs, zero=False)).to(device)
        for form in GRADIENTS:
            step = ready[form, n] = _step(net, form, batch)
            kept = saved_bytes(step, net.parameters())
            peak = cuda_peak_bytes(step) if device == "cuda" else np.nan
            rows.append((form, n, kept / 2**20, peak / 2**20))
    timed = {key: [] for key in ready}
    with torch_threads(1):
        for _ in range(rounds + 1):
            for key, step in ready.items():
                begin = time.perf_counter()
                step().backward()
                if device == "cuda":
                    torch.cuda.synchronize()
                timed[key].append(1e3 * (time.perf_counter() - begin))
    ms = [float(np.median(times[1:])) for times in timed.values()]  # the first warms up
    return pd.DataFrame(rows, columns=["form", "candidates", "mib", "cuda_mib"]).assign(ms=ms)


def _step(net: Supernet, form: str, batch: int) -> Callable[[], Tensor]:
    """The loss of a step of that form, the same images and paths whenever it is called."""
    arch = net.space.decode((0,) * len(net.space.n_options))
    device = next(net.parameters()).device
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, *arch.input_shape, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last).to(device)
    y = (torch.arange(batch) % arch.n_classes).to(device)

    def step() -> Tensor:
        weights = form == WEIGHT_STEP
        net.requires_grad_(weights)
        for logits in net.arch_logits():
            logits.requires_grad_(not weights)
        net.zero_grad(set_to_none=True)
        net.draw(form, generator.manual_seed(0))
        return F.cross_entropy(net(x), y)

    return step


def saved_bytes(step: Callable[[], Tensor], but: Iterable[Tensor] = ()) -> int:
    """Bytes that autograd keeps for the backward pass of `step`, `but` for these tensors. A tensor
    kept twice, or as a view, counts once.
    """
    left_out = {t.untyped_storage().data_ptr() for t in but}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in left_out:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        result = step()  # held until all is counted: what is freed could be given out anew
    del result
    return sum(kept.values())


def cuda_peak_bytes(step: Callable[[], Tensor]) -> float:
    """Most GPU memory during `step` and its backward pass, above what was there before."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    step().backward()
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() - before)
