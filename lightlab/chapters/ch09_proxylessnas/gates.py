"""A mixed operation small enough to enumerate: what the gates' gradient is worth.

Three candidates scale a number; the loss of what comes out is linear or a square. The exact
gradient of the expected loss with respect to the logits is a sum over the paths; every form of the
architecture step estimates it from one draw.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lightlab.measure import stats
from lightlab.nets.mixed import MixedOp
from lightlab.space.spaces import Position

_POSITION = Position("toy", 1, 1, {})
BY, LOGITS, WANTED = (1.0, -0.5, 0.4), (0.5, 0.1, -0.4), 0.6
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear loss": lambda y: y.sum(),
    "squared loss": lambda y: _squared(y, WANTED),
}


class _Scale(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return self.by * x


def toy(logits: Sequence[float] = LOGITS, by: Sequence[float] = BY) -> MixedOp:
    """A mixed operation of these logits, whose candidates multiply by these numbers."""
    mixed = MixedOp(_POSITION)
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


def downhill(n_toys: int, n_draws: int, seed: int = 0) -> np.ndarray:
    """Cosine between the mean two-path gradient and the exact one, squared loss, for each of
    `n_toys` random problems: logits, outputs and the wanted number are drawn anew, (n_toys,).
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    found = []
    for _ in range(n_toys):
        mixed, wanted = toy(rng.normal(size=3), rng.normal(size=3)), rng.normal()
        loss = partial(_squared, wanted=wanted)
        drawn = [estimate(mixed, loss, "two", generator) for _ in range(n_draws)]
        mean = torch.stack(drawn).mean(0)
        found.append(torch.cosine_similarity(mean, exact(mixed, loss), dim=0).item())
    return np.array(found)


def _squared(y: Tensor, wanted: float) -> Tensor:
    return ((y - wanted) ** 2).sum()
