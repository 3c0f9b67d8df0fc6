"""Work on collections that takes longer than a request: uploads, the queue, its processes, and what came of them."""
