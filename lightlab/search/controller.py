"""A controller: a recurrent policy writes points, and good ones become likelier (PPO).

The controller of NASNet, which MnasNet takes over: one LSTM of 100 units, a softmax per decision,
weights uniform within ±0.1, learning rate 0.00035, entropy weight 0.00001, a moving average as
baseline, 20 points an update (Zoph et al. 2018, appendix; Tan et al. 2019, section 4.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from lightlab.search.searcher import Feasible, PointLog, Trial
from lightlab.space.decisions import DecisionSpace, Point

_MOST_PASSED_OVER = 500  # points in a row, then the policy is taken to know no others
_N_DRAWN = 64  # points drawn at once from one policy: a draw one by one would take a millisecond


@dataclass(frozen=True)
class PPO:
    """Settings of the updates. Not in the papers: `clip`, `epochs` over the points of an update,
    and that advantages are divided by the rewards' spread so far, so that no unit matters.
    """

    lr: float = 3.5e-4
    batch_size: int = 20
    entropy_weight: float = 1e-5
    baseline_decay: float = 0.95
    clip: float = 0.2
    epochs: int = 40


class Policy(nn.Module):
    """Chances of the options of each decision, given those taken before it."""

    def __init__(self, n_options: Sequence[int]) -> None:
        super().__init__()
        hidden = 100
        self.start = nn.Parameter(torch.empty(1, hidden))
        self.taken = nn.ModuleList(nn.Embedding(n, hidden) for n in n_options[:-1])
        self.cell = nn.LSTMCell(hidden, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, n) for n in n_options)

    def forward(
        self, points: Tensor | None, n: int = 0, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of `points` (n, d), or of `n` newly drawn ones: the points, their log-probability (n,),
        and the policy's entropy along them (n,), in nats.
        """
        n = n if points is None else len(points)
        state = None
        shown = self.start.expand(n, -1)
        chosen, log_p, entropy = [], torch.zeros(n), torch.zeros(n)
        for i, head in enumerate(self.heads):
            state = self.cell(shown, state)
            log_odds = head(state[0]).log_softmax(1)
            odds = log_odds.exp()
            if points is None:
                index = torch.multinomial(odds, 1, generator=generator)[:, 0]
            else:
                index = points[:, i]
            chosen.append(index)
            log_p = log_p + log_odds.gather(1, index[:, None])[:, 0]
            entropy = entropy - (odds * log_odds).sum(1)
            if i < len(self.taken):
                shown = self.taken[i](index)
        return torch.stack(chosen, 1), log_p, entropy


class Controller(PointLog):
    """Reinforcement learning over the points of a space of decisions, one objective (the reward).

    Every `batch_size` finished trials the policy is updated. It follows from the seed and the
    trials told in their order, so that a search goes on from a list of trials.
    """

    def __init__(
        self,
        space: DecisionSpace,
        seed: int = 0,
        maximize: bool = True,
        ppo: PPO = PPO(),
        trials: Sequence[Trial] = (),
        feasible: Feasible | None = None,
    ) -> None:
        super().__init__(space, seed, maximize, (), feasible)
        if len(self.signs) != 1:
            raise ValueError("one objective: a reward that weighs several up")
        self.ppo, self.policy = ppo, Policy(space.n_options)
        generator = torch.Generator().manual_seed(seed)
        for parameter in self.policy.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1, generator=generator)
        self._optimizer = torch.optim.Adam(self.policy.parameters(), lr=ppo.lr)
        self.n_updates, self.baseline = 0, None
        self.entropy = sum(np.log(space.n_options))  # of the last policy, per point, in nats
        self._drawn: list[Point] = []
        self._n_refills = 0
        for trial in trials:
            self.tell([trial.config], [trial.values], None)

    def ask(self, n: int = 1) -> list[Point]:
        """`n` points of the policy that were not asked before; fewer where there are no more."""
        self._rng = np.random.default_rng([self.seed, self.n_updates, len(self._taken)])
        return super().ask(n)

    def tell(
        self,
        configs: Sequence[Point],
        values: ArrayLike,
        noise_var: ArrayLike | None = None,
        costs: Sequence[float] | None = None,
    ) -> None:
        """Rewards (n,), NaN for a failure, from which nothing is learnt; see `Searcher`."""
        before = len(self.finished)
        super().tell(configs, values, noise_var, costs)
        finished, size = self.finished, self.ppo.batch_size
        for end in range((before // size + 1) * size, len(finished) + 1, size):
            self._update(finished[end - size : end], finished[:end])

    def _next(self) -> Point | None:
        return self._unseen(self._rng, self._draw)

    def _draw(self) -> Point:
        """The next point of the present policy that is not taken: a search that goes on draws those
        asked before again. A taken one after _MOST_PASSED_OVER.
        """
        for _ in range(_MOST_PASSED_OVER):
            if not self._drawn:
                place = [self.seed, self.n_updates, self._n_refills]
                seed = int(np.random.SeedSequence(place).generate_state(1)[0])
                generator, self._n_refills = torch.Generator().manual_seed(seed), place[-1] + 1
                with torch.no_grad():
                    points, _, _ = self.policy(None, _N_DRAWN, generator)
                self._drawn = [tuple(row) for row in points.tolist()][::-1]
            if (point := self._drawn.pop()) not in self._taken:
                break
        return point

    def _update(self, batch: list[Trial], so_far: list[Trial]) -> None:
        """Proximal policy optimisation on one batch (Schulman et al. 2017, equation 7)."""
        points = torch.tensor([t.config for t in batch])
        rewards = self.signs[0] * np.array([t.values[0] for t in batch])
        values = np.array([t.values[0] for t in so_far])
        spread = values.std() if np.ptp(values) > 1e-9 * np.abs(values).max() else 1.0
        if self.baseline is None:
            self.baseline = float(rewards.mean())
        advantage = torch.tensor((rewards - self.baseline) / spread, dtype=torch.float32)
        decay = self.ppo.baseline_decay ** len(batch)  # of so many rewards, one after another
        self.baseline = decay * self.baseline + (1 - decay) * float(rewards.mean())
        with torch.no_grad():
            _, before, _ = self.policy(points)
        for _ in range(self.ppo.epochs):
            _, log_p, entropy = self.policy(points)
            ratio = (log_p - before).exp()
            clipped = ratio.clamp(1 - self.ppo.clip, 1 + self.ppo.clip)
            gain = torch.minimum(ratio * advantage, clipped * advantage).mean()
            self._optimizer.zero_grad()
            (-gain - self.ppo.entropy_weight * entropy.mean()).backward()
            self._optimizer.step()
        self.n_updates, self.entropy = self.n_updates + 1, entropy.mean().item()
        self._drawn, self._n_refills = [], 0
