"""Groups of copies in a collection: candidates by hashes and vectors, verdicts from pixels, one picture to keep."""
