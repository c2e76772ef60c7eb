"""The graph to explore: what a page needs to draw, open, step through and colour it."""
