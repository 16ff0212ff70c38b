"""For every test: long ones first, figures that it opens are closed, what a random network is."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from lightlab.space.arch import Arch, Head
from lightlab.space.blocks import Block

# A first example can take a hundred times as long as the next, on a shared machine any can.
settings.register_profile("lightlab", deadline=None)
settings.load_profile("lightlab")

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACTS = ("relu", "relu6", "hswish", "none")

# files that have tests of more than ten seconds, the longest first
LONG = ("test_execute.py", "test_fit.py", "test_run.py", "test_tabular.py")


def pytest_collection_modifyitems(items):
    """Long tests first: at the end no process is left alone with one."""
    order = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(LONG)))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@st.composite
def _blocks(draw, ops=("conv", "sep", "mb")):
    op = draw(st.sampled_from(ops))
    ratios = st.sampled_from((1, 2, 2.3, 3, 6)) | st.floats(0.3, 4)
    return Block(
        op,
        draw(st.integers(1, 24)),
        draw(st.sampled_from((1, 3, 5, 7))),
        draw(st.integers(1, 2)),
        draw(ratios) if op == "mb" else 1,
        draw(st.sampled_from((0, 0.25)) | st.floats(0.001, 1)),
        draw(st.sampled_from(("input", "expanded"))),
        act=draw(st.sampled_from(ACTS)),
        skip=draw(st.sampled_from(("", "none", "identity", "pool"))),
    )


_HEADS = st.builds(
    Head, st.integers(0, 20), st.integers(0, 20), st.sampled_from(ACTS), st.booleans()
)
# repeated neighbours, so that residuals and "*n" are met often
_BODIES = st.lists(st.lists(_blocks(), max_size=2).map(lambda b: b * 2), max_size=3).map(
    lambda runs: [block for run in runs for block in run]
)
st.register_type_strategy(Block, _blocks())
st.register_type_strategy(
    Arch,
    st.builds(
        Arch,
        st.integers(1, 33),
        _blocks(("conv",)),
        _BODIES,
        _HEADS,
        st.integers(1, 4),
        st.integers(1, 12),
    ),
)


@pytest.fixture
def timings():
    """What makes `Timings` as if every visit had given `ms` (networks, rounds)."""
    import numpy as np

    from lightlab.latency import Setting, Timings
    from lightlab.latency.latencies import Visits

    def made(ms, names=None, estimate="median", *, fastest=None, repeated=0, setting=None):
        ms = np.asarray(ms, dtype=float)
        names, n = list(names or (f"n{i}" for i in range(len(ms)))), np.ones(len(ms), int)
        least = ms if fastest is None else fastest
        visits = Visits(names, ms.tolist(), least.tolist(), 10 * n, 0 * n, repeated * n)
        return Timings(visits, setting or Setting(), {"load_end": 0.5}, estimate)

    return made


class AdditiveMachine:
    """A machine on which times are additive: a network takes the sum of its pieces in ms, and its
    ends, which each graph has, once.
    """

    end_ms = 0.01  # by channel

    def inside_ms(self, piece):
        if piece.text.startswith("through"):
            return 0.3 * int(piece.text[-1])
        return len(piece.text) * piece.in_channels / 100

    def piece_ms(self, piece):
        return self.inside_ms(piece) + self.end_ms * (1 + piece.in_channels)

    def network_ms(self, arch):
        from lightlab.latency import pieces_of

        first, *others = pieces_of(arch)
        return self.piece_ms(first) + sum(map(self.inside_ms, others))


@pytest.fixture
def machine():
    return AdditiveMachine()


@pytest.fixture
def words() -> Callable[["Figure"], list[str]]:
    """All text of a drawn figure, which has to be large enough to read."""

    from matplotlib import text

    def drawn(fig: "Figure") -> list[str]:
        fig.canvas.draw()
        texts = [t for t in fig.findobj(text.Text) if t.get_visible() and t.get_text()]
        assert min(t.get_fontsize() for t in texts) >= 8
        return [t.get_text() for t in texts]

    return drawn


@pytest.fixture
def killed(monkeypatch):
    """Calls what ends at its nth checkpoint, as by Ctrl-C."""

    def call(n, work, *args, **how):
        from lightlab.train.loop import Keeper

        write, written = Keeper.write, []

        def stop(self, state):
            write(self, state)
            written.append(self)
            if len(written) == n:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "write", stop)
            with pytest.raises(KeyboardInterrupt):
                work(*args, **how)

    return call
