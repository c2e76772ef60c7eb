"""A gradient descent as text, as HTML, and as what the browser needs to scrub through it."""
