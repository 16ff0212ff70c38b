"""Running notebooks: what there is to do, attempts in processes of their own, their results.

As an IPython extension, for the kernels of runs: output waits for a slow reader. Else a kernel's
socket drops, without a word, what comes while 1,000 messages wait: lines were missing, or the run
waited in vain for the message that a cell had ended.
"""

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython as the kernel starts."""
    import zmq  # only the kernel

    sender = shell.kernel.iopub_thread  # the one thread that may touch the socket
    sender.schedule(lambda: sender.socket.setsockopt(zmq.XPUB_NODROP, 1))
