"""A collection in two dimensions: where its pictures are put, the file of that, and where later pictures belong."""
