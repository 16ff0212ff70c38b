"""MnasNet: a controller, and measured latency in its reward."""
