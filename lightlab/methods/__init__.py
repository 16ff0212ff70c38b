"""The methods of the papers: MnasNet, ProxylessNAS, Once-for-All, and what they share."""
