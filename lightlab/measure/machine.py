"""The machine: its processor, and how many threads PyTorch computes with for a while."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def processor() -> dict[str, str]:
    """What Linux says of the first processor ("flags", say); everywhere its "model name"."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    fields = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields}
    return {"model name": platform.processor() or platform.machine() or "unknown"} | named


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """PyTorch with so many threads, and afterwards with as many as before."""
    import torch  # only now: it takes seconds

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
