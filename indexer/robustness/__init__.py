"""Robustness of scores against perturbations of a picture."""
