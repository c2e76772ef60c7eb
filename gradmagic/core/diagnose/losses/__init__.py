"""A loss that is another than it seems."""
