"""All that trains the encoder in the box: pool, teacher, student, distillation, output layer, measures, export.

Run it as ``python -m indexer.train``: ``targets`` once, ``distil`` for as long as there is time, ``finish`` for the
file that is shipped, ``quality`` for its figures.
"""
