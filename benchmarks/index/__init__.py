"""The vector index beside those that people would take instead."""
