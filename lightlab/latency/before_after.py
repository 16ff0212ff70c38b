"""What 8-bit integers did to a network: answers, size and time of two ONNX files side by side."""

from pathlib import Path

import pandas as pd

from lightlab.data import Split
from lightlab.deploy.export import difference, run
from lightlab.deploy.model import DeployError, read_bytes, session
from lightlab.latency import Setting, time_runners
from lightlab.latency.engines import onnx_runner
from lightlab.latency.runtimes import SESSIONS


def compare(
    path: str | Path, int8_path: str | Path, split: Split, threads: int = 1
) -> pd.DataFrame:
    """A row for each of the two files, measured on `split` and on this machine.

    Columns: model, accuracy, top1_agreement and max_abs_diff (of logits, with the first),
    size_bytes, latency_ms and iqr_ms (batch 1, ONNX Runtime, timed interleaved); `attrs["device"]`
    says on what. DeployError on an empty split, or on logits that are not finite; LatencyError for
    more threads than there are.
    """
    if not len(split):
        raise DeployError("comparing needs at least one image")
    setting = Setting(threads=threads)
    setting.check_here()
    models = {"fp32": read_bytes(path), "int8": read_bytes(int8_path)}
    outputs = {name: run(session(m, threads), split.x) for name, m in models.items()}
    image = split.x[:1].float().contiguous()
    runners = {name: onnx_runner(m, setting, image, SESSIONS) for name, m in models.items()}
    timings = time_runners(runners, setting)
    times, labels = timings.table.set_index("name"), split.y.numpy()
    rows = [
        {
            "model": name,
            "accuracy": float((outputs[name].argmax(1) == labels).mean()),
            **difference(outputs["fp32"], outputs[name]),
            "size_bytes": len(models[name]),
            **times.loc[name, ["latency_ms", "iqr_ms"]],
        }
        for name in models
    ]
    found = pd.DataFrame(rows)
    found.attrs["device"] = timings.device
    return found
