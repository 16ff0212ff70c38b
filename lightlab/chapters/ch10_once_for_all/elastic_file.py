"""Once-for-all networks on disk: trained once, cut to size wherever the file goes."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lightlab.nets import whole_file
from lightlab.nets.elastic import ElasticNetwork
from lightlab.nets.weights import WeightsError
from lightlab.space.spaces import OfaSpace


def save_elastic(network: ElasticNetwork, path: Path | str) -> None:
    """Write the weights of `network`, and which space they are for, to `path`; WeightsError where
    that cannot be written.
    """
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    try:
        whole_file.write(
            Path(path), lambda part: save_file(state, part, metadata=network.space.identity())
        )
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path}: cannot be written ({error})") from None


def load_elastic(path: Path | str, space: OfaSpace) -> ElasticNetwork:
    """The network over `space` that `save_elastic` wrote, on the CPU, in evaluation mode.

    WeightsError where the file is missing, damaged, or of another space.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: is no safetensors file ({error})") from None
    mine = space.identity()
    if about != mine:
        other = [key for key in mine if about.get(key) != mine[key]]
        raise WeightsError(
            f"{path}: is no once-for-all network of this space, it differs in {', '.join(other)}"
        )
    network = ElasticNetwork(space)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: {str(error).splitlines()[0]}") from None
    return network.to(memory_format=torch.channels_last).eval()
