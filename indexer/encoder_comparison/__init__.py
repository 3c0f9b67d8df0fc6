"""From one encoder to another: what would change in a collection's answers, before anything is rebuilt."""
