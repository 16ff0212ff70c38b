"""What the tests of exported models share."""

from contextlib import contextmanager

import pytest

from lightlab import data


@pytest.fixture(scope="session")
def digits():
    return data.load("digits")


@pytest.fixture
def refused(tmp_path):
    """What is inside is refused by a ValueError of one line with these words, and writes nothing
    in `tmp_path`.
    """

    @contextmanager
    def expect(words):
        before = set(tmp_path.iterdir())
        with pytest.raises(ValueError, match=words) as caught:
            yield caught
        assert "\n" not in str(caught.value)
        assert set(tmp_path.iterdir()) == before

    return expect
