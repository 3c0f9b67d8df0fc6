"""Measurements behind the numbers in the documents; each program writes its file under ``results/``."""
