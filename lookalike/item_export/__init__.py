"""Export of a collection's items, their vectors and pictures: tables, and folders that other programs read.

``export.py`` is the way in; ``selection.py`` says which items, ``columns.py`` what is written of each, and
``tables.py`` and ``folders.py`` write them.
"""
