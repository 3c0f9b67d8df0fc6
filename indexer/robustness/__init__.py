"""What changes of a picture do to its score: the trial behind ``robustness``."""
