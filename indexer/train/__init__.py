"""Training of the bundled encoder: pool, teacher, student, distillation, output layer, measurement, export.

Run it as ``python -m indexer.train``: ``targets`` once, ``distil`` for the time available, ``finish`` for the
shipped file, ``quality`` for its figures.
"""
