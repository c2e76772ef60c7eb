"""Where a graph's nodes and lines lie."""
