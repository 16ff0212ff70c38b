"""Boards, games, complexity and entropy: the ground that the first notebooks stand on."""
