"""A synthetic corpus of product photographs, to try a search without pictures of one's own."""
