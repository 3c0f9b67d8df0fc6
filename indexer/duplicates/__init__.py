"""Finding the copies in a collection: candidates from its vectors, verdicts on pixels, groups without chaining."""
