"""A mixed operation small enough to enumerate: what the gates' gradient is worth.

Three candidates scale a number; the loss of what comes out is linear or a square. The exact
gradient of the expected loss with respect to the logits is a sum over the paths; every form of the
architecture step estimates it from one draw.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightlab.measure import stats
from lightlab.nets.mixed import MixedOp
from lightlab.space.spaces import PROXYLESS, ProxylessSpace

BY, LOGITS, WANTED = (1.0, -0.5, 0.4), (0.5, 0.1, -0.4), 0.6
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear loss": lambda y: y.sum(),
    "squared loss": lambda y: ((y - WANTED) ** 2).sum(),
}


class _Scale(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return self.by * x


def toy() -> MixedOp:
    """The mixed operation."""
    mixed = MixedOp(ProxylessSpace(PROXYLESS).positions[0])
    mixed.candidates = nn.ModuleList(_Scale(by) for by in BY)
    mixed.arch_logits = nn.Parameter(torch.tensor(LOGITS))
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
    """Every form and loss: loss, form, logit, exact, mean over the draws with its 95 % interval
    ci_low and ci_high, and sd of one draw.
    """
    rows, mixed = [], toy()
    for name, loss in LOSSES.items():
        wanted = exact(mixed, loss).numpy()
        for form in ("sum", "all", "two", "reinforce"):
            generator = torch.Generator().manual_seed(seed)
            drawn = [estimate(mixed, loss, form, generator) for _ in range(n_draws)]
            for i, values in enumerate(torch.stack(drawn).double().numpy().T):
                mean, low, high = stats.mean_ci(values)
                rows.append(
                    {"loss": name, "form": form, "logit": i, "exact": float(wanted[i]),
                     "mean": mean, "ci_low": low, "ci_high": high, "sd": float(np.std(values))}
                )  # fmt: skip
    return pd.DataFrame(rows)


def downhill(n_draws: int, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """Cosine between the mean two-path gradient and the exact one, squared loss, and its bootstrap
    interval over the draws.
    """
    mixed, loss = toy(), LOSSES["squared loss"]
    wanted = exact(mixed, loss).numpy()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.stack([estimate(mixed, loss, "two", generator) for _ in range(n_draws)]).numpy()

    def cosine(*columns: np.ndarray) -> np.ndarray:
        mean = np.stack([c.mean(-1) for c in columns], -1)
        return mean @ wanted / np.linalg.norm(mean, axis=-1) / np.linalg.norm(wanted)

    value, low, high = stats.bootstrap_ci(cosine, *drawn.T, seed=seed)
    return value, (low, high)
