"""Recorded ops as a graph: what they are, which belong together, and what is drawn of them."""
