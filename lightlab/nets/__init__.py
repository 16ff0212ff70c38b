"""Networks as ordinary PyTorch modules."""
