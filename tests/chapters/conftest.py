"""What a reader can read in a figure."""

from collections.abc import Callable

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

mpl.use("Agg")


@pytest.fixture
def words() -> Callable[[Figure], list[str]]:
    """All text of a drawn figure, which has to be large enough to read."""

    def drawn(fig: Figure) -> list[str]:
        fig.canvas.draw()
        texts = [t for t in fig.findobj(mpl.text.Text) if t.get_visible() and t.get_text()]
        assert min(t.get_fontsize() for t in texts) >= 8
        return [t.get_text() for t in texts]

    return drawn
