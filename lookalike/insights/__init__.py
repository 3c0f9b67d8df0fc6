"""What a collection is made of and what does not fit in it: clusters, outliers, and items with another's label."""
