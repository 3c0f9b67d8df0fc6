"""Duplicates in a collection: candidates from vectors, verdicts from pixels, groups without chaining."""
