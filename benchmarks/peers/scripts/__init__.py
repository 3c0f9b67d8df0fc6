"""What runs inside a peer's own environment: nothing here imports more than the peer and what came with it."""
