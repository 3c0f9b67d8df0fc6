"""A corpus of made-up product photographs, drawn on the spot: something to search before one has pictures."""
