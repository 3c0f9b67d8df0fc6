"""How good the answers are, measured on pictures whose labels are known."""
