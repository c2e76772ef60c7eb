"""All reports of a kernel as one page."""
