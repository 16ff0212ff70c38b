"""ProxylessNAS' steps of the architecture, and the network that is chosen in the end.

Cai, Zhu & Han 2019 (arXiv 1812.00332), sections 3.2 and 3.3: weights learn on training images,
along one drawn path, and now and then the architecture learns on validation images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab import train
from lightlab.methods.mnasnet import reward
from lightlab.methods.price import Price
from lightlab.nets.mixed import FORMS, Supernet
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point


@dataclass(frozen=True)
class Settings:
    """How to search: `recipe` trains the weights, in the first `warmup` share of its steps alone.

    Then after `every` steps of the weights comes one of the architecture, of a `form` of
    `nets.mixed`, by Adam with `arch_lr`. `latency_weight` is λ of the paper's loss
    CE + λ E[LAT] / T; where the target is a `limit`, see `Architect.latency_weight`. "reinforce"
    has the reward ACC (LAT / T)^`exponent` of `n_paths` networks.
    """

    recipe: train.Recipe
    form: str = "two"
    warmup: float = 0.25
    every: int = 5
    arch_lr: float = 1e-3
    latency_weight: float = 0.1
    limit: bool = False
    exponent: float = -0.1
    n_paths: int = 10

    def __post_init__(self) -> None:
        rules = {
            f"form is one of {', '.join(FORMS)}": self.form in FORMS,
            "latency_weight is 0 or more: below it slow networks would be rewarded": (
                self.latency_weight >= 0
            ),
            "a latency_weight above 0 where the target is a limit": (
                not self.limit or self.latency_weight > 0
            ),
            "no limit where the loss has no λ (reinforce)": (
                not self.limit or self.form != "reinforce"
            ),
            "0 <= warmup < 1": 0 <= self.warmup < 1,
            "every >= 1": self.every >= 1,
            "arch_lr > 0": self.arch_lr > 0,
            "n_paths >= 2": self.n_paths >= 2,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise SearchError(f"a ProxylessNAS search needs {'; '.join(broken)}")


class Architect:
    """Steps of the architecture of `supernet`."""

    def __init__(
        self, supernet: Supernet, latency: Price, target_ms: float, settings: Settings
    ) -> None:
        if supernet.space.size() < 2:
            raise SearchError(f"there is nothing to search in {supernet.space!r}")
        if not target_ms > 0:
            raise ValueError(f"the target latency has to be above 0 ms, got {target_ms}")
        self.supernet, self.latency, self.target_ms = supernet, latency, target_ms
        self.settings, self.price = settings, Price.macs(supernet.space)
        logits = supernet.arch_logits()
        self.optimizer = torch.optim.Adam(logits, lr=settings.arch_lr, betas=(0.0, 0.999))

    def step(self, x: Tensor, y: Tensor, generator: torch.Generator) -> int:
        """One step, on images of the validation split; the MACs that it took."""
        net = self.supernet
        for weight in net.weights():
            weight.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        kind = self._reinforce if self.settings.form == "reinforce" else self._descend
        macs = kind(x, y, generator)
        for weight in net.weights():
            weight.requires_grad_(True)
        return macs

    @property
    def latency_weight(self) -> float:
        """λ now: where the target is a limit, in proportion to what the likeliest network is above
        it, and 0 below: the slope of the quadratic penalty for LAT ≤ T (Nocedal & Wright, Numerical
        Optimization, section 17.1). The paper does not say how it came by its λ.
        """
        settings = self.settings
        if not settings.limit:
            return settings.latency_weight
        over = self.latency.of(self.supernet.derive()) / self.target_ms - 1
        return settings.latency_weight * max(0.0, over)

    def _descend(self, x: Tensor, y: Tensor, generator: torch.Generator) -> int:
        """By the gradient through the gates, or through the weighted sum."""
        net, form = self.supernet, self.settings.form
        net.draw(form, generator)
        involved = [m.involved for m in net.mixed]
        expected = self.latency.expected([m.odds() for m in net.mixed], involved)
        ce = F.cross_entropy(net(x), y)
        (ce + self.latency_weight * expected / self.target_ms).backward()
        before = [m.arch_logits.detach().clone() for m in net.mixed]
        self.optimizer.step()
        if form == "two":
            for mixed, old in zip(net.mixed, before, strict=True):
                keep_mass(mixed.arch_logits, old, mixed.involved)
        # backwards through what leads to the logits; the weights' own gradients are not computed
        back = involved if form == "sum" else [(i,) for i in net.active]
        return self._macs(len(x), involved, back)

    def _reinforce(self, x: Tensor, y: Tensor, generator: torch.Generator) -> int:
        """By the score function, the batch's mean reward as baseline (as the code has it)."""
        net, rewards, log_p, macs = self.supernet, [], [], 0
        for _ in range(self.settings.n_paths):
            point = net.draw("reinforce", generator)
            with torch.no_grad():
                accuracy = (net(x).argmax(1) == y).double().mean().item()
            exponents = (self.settings.exponent,) * 2
            rewards.append(reward(accuracy, self.latency.of(point), self.target_ms, *exponents))
            log_p.append(net.log_probability())
            macs += self._macs(len(x), [(i,) for i in point])
        chances = torch.stack(log_p)
        advantage = chances.new_tensor(rewards)
        advantage -= advantage.mean()
        (-(advantage * chances).mean()).backward()
        self.optimizer.step()
        return macs

    def _macs(self, n: int, *passes: Sequence[Sequence[int]]) -> int:
        """Of `n` images in passes through these candidates, position by position."""
        fixed, added = self.price.fixed[0], self.price.added
        total = sum(
            fixed + sum(part[0, i] for part, among in zip(added, path, strict=True) for i in among)
            for path in passes
        )
        return round(n * float(total))


@torch.no_grad()
def keep_mass(logits: Tensor, before: Tensor, involved: tuple[int, ...]) -> None:
    """Shift the `involved` logits, in place, so that together they are as likely as `before`: the
    other candidates' probabilities stay untouched (section 3.2.1).
    """
    among = list(involved)
    logits[among] += before[among].logsumexp(0) - logits[among].logsumexp(0)


def likeliest_within(
    probabilities: Sequence[Sequence[float]], price: Price, target_ms: float
) -> Point:
    """The likeliest point of a distribution that is as fast as the target: exact up to the rounding
    of latencies to 1/2000 of the target, by dynamic programming over the positions.

    SearchError where no point is as fast.
    """
    n, rows = 2000, [part[0].tolist() for part in price.added]
    least = price.fixed[0] + sum(map(min, rows))
    if least > target_ms:
        raise SearchError(f"no network of the space is as fast as {target_ms:.4g} ms")
    left = int(n * (1 - least / target_ms))  # what the positions may take together, above the least
    best = torch.full((left + 1,), -torch.inf, dtype=torch.float64)
    best[0] = 0.0
    choices = []
    for chances, costs in zip(probabilities, rows, strict=True):
        # above the cheapest: a calibrated table may hold costs below 0
        steps = [int(np.ceil(n * (cost - min(costs)) / target_ms)) for cost in costs]
        reached = [  # by spending `step` more
            F.pad(best, (step, 0), value=-torch.inf)[: left + 1] + np.log(max(chance, 1e-300))
            for chance, step in zip(chances, steps, strict=True)
        ]
        best, taken = torch.stack(reached).max(0)
        choices.append((taken, steps))
    at, point = int(best.argmax()), []
    for taken, steps in reversed(choices):
        point.append(int(taken[at]))
        at -= steps[point[-1]]
    return tuple(reversed(point))
