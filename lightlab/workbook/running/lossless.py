"""IPython extension for the kernels of runs: output waits for a slow reader, it is not thrown away.

A kernel's socket drops, without a word, what comes while 1,000 messages wait: lines were missing,
or the run waited in vain for the message that a cell had ended.
"""

import zmq
from ipykernel.zmqshell import ZMQInteractiveShell


def load_ipython_extension(shell: ZMQInteractiveShell) -> None:
    """Called by IPython as the kernel starts."""
    sender = shell.kernel.iopub_thread  # the one thread that may touch the socket
    sender.schedule(lambda: sender.socket.setsockopt(zmq.XPUB_NODROP, 1))
