"""Once-for-All: one network is trained, and sub-networks are chosen from it for every device."""
