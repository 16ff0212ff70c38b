"""Networks on disk: safetensors, with the architecture's text beside the weights."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lightlab import disk
from lightlab.nets.build import Network
from lightlab.space.arch import decode, encode

_PLAIN, _TURNED = torch.contiguous_format, torch.channels_last


def save_weights(network: Network, path: Path | str) -> None:
    """Write the weights and running statistics of `network`, and what it is, as `write` does."""
    write(network, path, {"arch": encode(network.arch)})


def write(network: nn.Module, path: Path | str, about: dict[str, str]) -> None:
    """Write all weights and buffers, `about` them, and in which memory format they are.

    A convolution sums in another order where its weights lie otherwise. ValueError where the file
    cannot be written.
    """
    turned, state = [], {}
    for name, value in network.state_dict().items():
        plain = value.stride() == torch.empty(value.shape, device="meta").stride()
        if value.ndim == 4 and value.is_contiguous(memory_format=_TURNED) and not plain:
            turned.append(name)  # its channels lie last, and in no other way
        state[name] = value.detach().cpu().contiguous()
    text = about | {"channels_last": json.dumps(turned)}
    try:
        disk.write(Path(path), lambda part: save_file(state, part, metadata=text))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be written ({error})") from None


def read(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Weights and buffers as they lay in memory when they were written, and what is said of them.

    ValueError where the file is missing or damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            turned = set(json.loads(about.pop("channels_last", "[]")))
            state = {}
            for name in file.keys():  # noqa: SIM118
                # in memory of its own: where a file's begins decides on the order of sums, too
                value, how = file.get_tensor(name), _TURNED if name in turned else _PLAIN
                state[name] = torch.empty_like(value, memory_format=how).copy_(value)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: is no safetensors file ({error})") from None
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path}: its memory formats cannot be read ({error})") from None
    return state, about


def not_finite(state: Mapping[str, Tensor]) -> list[str]:
    """Names of the weights and buffers that hold NaN or infinity."""
    return [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]


def _said(known: tuple[torch.Size, torch.dtype] | None) -> str:
    """Shape and type of a weight in words."""
    return "missing" if known is None else f"{tuple(known[0])} {str(known[1]).split('.')[-1]}"


def load_network(path: Path | str) -> Network:
    """The network that `save_weights` wrote, on the CPU, in evaluation mode.

    ValueError where the file is missing, no safetensors, or not of such a network.
    """
    state, about = read(path)
    text = about.get("arch")
    if text is None:
        raise ValueError(f"{path}: names no architecture; write it with save_weights")
    try:
        with torch.device("meta"):
            network = Network(decode(text))
    except (ValueError, RuntimeError) as error:  # the latter where no memory could hold a layer
        raise ValueError(f"{path}: {str(error).splitlines()[0]}") from None
    fill(network, state, path)
    return network.eval()


def fill(network: nn.Module, state: dict[str, Tensor], path: Path | str) -> None:
    """Give `network` the weights that `read` found in `path`; ValueError if they do not fit."""
    wanted = {name: (value.shape, value.dtype) for name, value in network.state_dict().items()}
    found = {name: (value.shape, value.dtype) for name, value in state.items()}
    if differing := sorted(n for n in wanted.keys() | found if wanted.get(n) != found.get(n)):
        name = differing[0]
        raise ValueError(
            f"{path}: its weights are not its architecture's: {name} is {_said(found.get(name))}, "
            f"not {_said(wanted.get(name))}"
        )
    if broken := not_finite(state):
        raise ValueError(f"{path}: {broken[0]} holds NaN or infinity")
    network.load_state_dict(state, assign=True)
