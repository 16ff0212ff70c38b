"""Running notebooks. As an IPython extension of their kernels: output waits for a slow reader; else
a kernel's socket drops, without a word, what comes while 1,000 messages wait.
"""

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython as the kernel starts."""
    import zmq  # only the kernel

    sender = shell.kernel.iopub_thread  # the one thread that may touch the socket
    sender.schedule(lambda: sender.socket.setsockopt(zmq.XPUB_NODROP, 1))
