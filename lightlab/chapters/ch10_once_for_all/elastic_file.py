"""Once-for-all networks on disk: trained once, cut to size wherever the file goes."""

from pathlib import Path

from lightlab.nets import weights
from lightlab.nets.elastic import ElasticNetwork
from lightlab.nets.weights import WeightsError
from lightlab.space.once_for_all import OfaSpace


def save_elastic(network: ElasticNetwork, path: Path | str) -> None:
    """Write the weights and the space of `network` to `path`; WeightsError where that fails."""
    weights.write(network, path, network.space.identity())


def load_elastic(path: Path | str, space: OfaSpace) -> ElasticNetwork:
    """The network over `space` that `save_elastic` wrote, on the CPU, in evaluation mode;
    WeightsError where the file is missing, damaged, or of another space.
    """
    state, about = weights.read(path)
    mine = space.identity()
    if about != mine:
        other = sorted(key for key in mine.keys() | about if about.get(key) != mine.get(key))
        raise WeightsError(
            f"{path}: is no once-for-all network of this space, it differs in {', '.join(other)}"
        )
    network = ElasticNetwork(space)
    weights.fill(network, state, path)
    return network.eval()
