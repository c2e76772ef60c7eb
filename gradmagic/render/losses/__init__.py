"""A comparison of losses -> HTML, text, code, and the numbers that the sliders look up."""
