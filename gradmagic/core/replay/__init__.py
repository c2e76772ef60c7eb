"""The recorded ops once more: forward, backward, by the chain rule, and with an entry moved."""
