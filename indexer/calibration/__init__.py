"""Calibration: a threshold and a map from cosine score to probability, fitted to pairs with known answers."""
