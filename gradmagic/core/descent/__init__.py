"""Gradient descent on a cell: its steps, what they left behind, and the surface they went down."""
