"""Where notebook 11 still looks for what is in `shrinking` and `subnets`."""

from lightlab.methods.once_for_all.shrinking import begin
from lightlab.methods.once_for_all.subnets import corners, on_corners, whole

__all__ = ["begin", "corners", "on_corners", "whole"]
