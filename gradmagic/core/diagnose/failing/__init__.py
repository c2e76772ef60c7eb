"""What to say above the traceback of a cell that raises."""
