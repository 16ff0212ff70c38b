"""Where notebook 12 still looks for `priced`, which is in `additive`."""

from lightlab.methods.proxyless.additive import priced

__all__ = ["priced"]
