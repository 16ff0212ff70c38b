"""Notebook 09 ProxylessNAS."""
