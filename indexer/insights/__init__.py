"""What ``cluster``, ``outliers`` and ``mislabelled`` print, as tables and as JSON."""
