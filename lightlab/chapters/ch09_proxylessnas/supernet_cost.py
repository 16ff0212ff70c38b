"""What a step over a supernet keeps in memory and how long it takes, by its form and candidates."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab import train
from lightlab.chapters.ch09_proxylessnas.memory import cuda_peak_bytes, saved_bytes
from lightlab.measure import stats
from lightlab.measure.threads import torch_threads
from lightlab.nets.mixed import Supernet
from lightlab.space.spaces import ProxylessSpace, Skeleton

WEIGHT_STEP = "one"  # of one path: what training a compact network keeps
GRADIENTS = ("sum", "all", "two", WEIGHT_STEP)
DESIGN = (3, 6)  # MBConv6 3×3 everywhere, so that only the number of candidates changes


def steps(
    skeleton: Skeleton,
    n_candidates: Sequence[int],
    batch: int,
    rounds: int = 5,
    device: str | None = None,
) -> pd.DataFrame:
    """Each form of GRADIENTS with each number of equal candidates, steps timed in turn.

    Columns form, candidates, mib (kept by autograd), cuda_mib (peak above the weights, NaN without
    a GPU), ms (median of the rounds, forward and backward, one thread) with ci_low and ci_high.
    `device` is "cpu" or "cuda", None the GPU where there is one.
    """
    device = device or train.accelerator(math.inf)
    ready: dict[tuple[str, int], Callable[[], Tensor]] = {}
    rows = []
    for n in n_candidates:
        designs = {f"copy_{i}": DESIGN for i in range(n)}
        net = Supernet(ProxylessSpace(skeleton, designs, zero=False)).to(device)
        for form in GRADIENTS:
            step = ready[form, n] = _step(net, form, batch)
            kept = saved_bytes(step, net.parameters())
            peak = cuda_peak_bytes(step) if device == "cuda" else np.nan
            rows.append(
                {"form": form, "candidates": n, "mib": kept / 2**20, "cuda_mib": peak / 2**20}
            )
    timed = {key: [] for key in ready}
    with torch_threads(1):
        for _ in range(rounds + 1):
            for key, step in ready.items():
                begin = time.perf_counter()
                step().backward()
                if device == "cuda":
                    torch.cuda.synchronize()
                timed[key].append(1e3 * (time.perf_counter() - begin))
    found = [stats.median_ci(ms[1:]) for ms in timed.values()]  # the first warms up
    return pd.DataFrame(rows).join(pd.DataFrame(found, columns=["ms", "ci_low", "ci_high"]))


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
