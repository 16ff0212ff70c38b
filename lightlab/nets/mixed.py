"""ProxylessNAS's over-parameterised network: every position holds all its candidates.

Cai, Zhu & Han 2019, section 3: binary gates choose one path; what their gradient teaches goes to
the architecture's logits. Several forms of the architecture step, by what they compute and keep:

    sum        all candidates, weighted by their probabilities (DARTS, Liu et al. 2019)
    all        one path is active, the others' outputs are computed for the gates' gradient
    two        two candidates are drawn, one of them is active (section 3.2.1)
    reinforce  one path; only its log-probability meets the reward (section 3.3.2)
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightlab.nets.blocks import build_block
from lightlab.nets.build import Network, initialise
from lightlab.space.decisions import Point
from lightlab.space.proxyless import Position, ProxylessSpace

FORMS = ("sum", "all", "two", "reinforce")


class MixedOp(nn.Module):
    """The candidates of one position; `arch_logits` (N,) weigh them.

    `involved` are the candidates that take part in a step, `active` the one whose output goes on.
    """

    def __init__(self, position: Position) -> None:
        super().__init__()
        channels = position.maps[0]
        self.candidates = nn.ModuleList(
            nn.Identity() if block is None else build_block(block, channels)
            for block in position.candidates.values()
        )
        self.arch_logits = nn.Parameter(torch.zeros(len(self.candidates)))
        self.involved, self.active, self.form = (0,), 0, "one"

    def probabilities(self) -> Tensor:
        """Chances of the candidates, (N,)."""
        return self.arch_logits.softmax(0)

    def odds(self) -> Tensor:
        """Chances of the involved candidates among themselves."""
        return self.arch_logits[list(self.involved)].softmax(0)

    def draw(self, form: str, generator: torch.Generator) -> None:
        """Draw what takes part in the next step, and what is active."""
        chances, n = self.probabilities().detach().cpu(), len(self.candidates)
        pair = form == "two" and n > 2
        drawn = torch.multinomial(chances, 2, generator=generator) if pair else torch.arange(n)
        self.form, self.involved = form, tuple(drawn.tolist())
        among = torch.multinomial(self.odds().detach().cpu(), 1, generator=generator)
        self.active = self.involved[int(among)]

    def activate(self, index: int) -> None:
        """One path and no gradient to the logits, as in a weight step or an evaluation."""
        self.form, self.involved, self.active = "one", (index,), index

    def forward(self, x: Tensor) -> Tensor:
        if self.form in ("one", "reinforce") or len(self.involved) == 1:
            return self.candidates[self.active](x)
        if self.form == "sum":
            weighted = zip(self.probabilities(), self.candidates, strict=True)
            return sum(p * candidate(x) for p, candidate in weighted)
        gates = binary_gates(self.odds(), self.involved.index(self.active))
        return sum(g * self._path(i, x) for g, i in zip(gates, self.involved, strict=True))

    def _path(self, index: int, x: Tensor) -> Tensor:
        """A candidate's output; of an idle one no graph is kept, for its gate is 0: nothing flows
        back through it, and its weights are frozen in an architecture step.
        """
        if index == self.active:
            return self.candidates[index](x)
        with torch.no_grad():
            return self.candidates[index](x).detach()  # an identity hands the graph on


def binary_gates(odds: Tensor, active: int) -> Tensor:
    """One-hot gates (N,) whose gradient is handed on to the chances `odds` as it is, so that the
    logits get sum_j (dL/dg_j) p_j (delta_ij − p_i) (equation 4; BinaryConnect's trick).
    """
    one_hot = F.one_hot(torch.tensor(active), len(odds)).to(odds)
    return one_hot + odds - odds.detach()


class Supernet(Network):
    """The network over all points of `space`: a `Network` whose searched blocks are `MixedOp`s."""

    def __init__(self, space: ProxylessSpace, *, seed: int = 0, init: str = "proxyless") -> None:
        frame = space.skeleton
        fullest = [next(iter(p.candidates.values())) for p in space.positions]
        with torch.random.fork_rng(devices=[]):
            super().__init__(frame.arch(fullest))
            for i, position in enumerate(space.positions, len(frame.first)):
                self.blocks[i] = MixedOp(position)
        self.space = space
        first = len(frame.first)
        self.mixed = list(self.blocks[first : first + len(space.positions)])
        initialise(self, seed, init)

    def arch_logits(self) -> list[nn.Parameter]:
        """The logits of the positions, in order."""
        return [mixed.arch_logits for mixed in self.mixed]

    def weights(self) -> list[nn.Parameter]:
        """All that is trained but the logits."""
        mine = set(self.arch_logits())
        return [p for p in self.parameters() if p not in mine]

    def probabilities(self) -> list[Tensor]:
        """Chances of the candidates of every position."""
        return [mixed.probabilities() for mixed in self.mixed]

    def draw(self, form: str, generator: torch.Generator) -> Point:
        """Draw the paths of a step of that form ("one": of a weight step); the active point."""
        for mixed in self.mixed:
            mixed.draw(form, generator)
            if form == "one":
                mixed.activate(mixed.active)
        return self.active

    def activate(self, point: Sequence[int]) -> None:
        """Be the network of `point` until something else is drawn; ValueError if there is none."""
        for mixed, index in zip(self.mixed, self.space.check(point), strict=True):
            mixed.activate(index)

    @property
    def active(self) -> Point:
        """The point whose path is active."""
        return tuple(mixed.active for mixed in self.mixed)

    def log_probability(self) -> Tensor:
        """Of the active path, in nats."""
        chosen = [m.arch_logits.log_softmax(0)[m.active] for m in self.mixed]
        return torch.stack(chosen).sum()

    def entropy(self) -> Tensor:
        """Of the distribution over the points, in nats: the sum over the positions."""
        return sum(torch.special.entr(p).sum() for p in self.probabilities())

    def derive(self) -> Point:
        """The likeliest point: the largest path everywhere (section 3.2)."""
        return tuple(int(m.arch_logits.argmax()) for m in self.mixed)
