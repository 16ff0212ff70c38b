"""Spaces to search in: boards, hyperparameters, architectures. No torch below this line."""
