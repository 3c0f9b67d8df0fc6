"""Calibrating: pairs with known answers become a threshold and a map from cosine score to probability."""
