"""ProxylessNAS: weights and architecture learnt together."""
