"""The rules of a small game, agreed once for all tests of the room."""

import pytest

from lightlab import train
from lightlab.chapters.ch12_playing_field import experiment


@pytest.fixture(scope="session")
def spaces(digits):
    return experiment.spaces(digits, [16, 24], 2, (3, 5), (2, 4))


@pytest.fixture(scope="session")
def meter(spaces, tmp_path_factory):
    return experiment.meter(spaces[0], "onnxruntime/1/1", tmp_path_factory.mktemp("times"))


@pytest.fixture(scope="session")
def agreed(spaces, meter, digits):
    recipe = train.Recipe(2, batch_size=32, lr=0.05)
    return experiment.agree(*spaces, meter, digits, recipe, 1.0)[0]


@pytest.fixture(scope="session")
def targets(agreed):
    return agreed.targets(2)
