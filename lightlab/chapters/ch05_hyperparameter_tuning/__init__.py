"""Notebook 05 Hyperparameter tuning."""
