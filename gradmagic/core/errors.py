"""The one error that is the user's to mend."""


class UserError(ValueError):
    """What was asked for cannot be done; the message is one line: the culprit and the next step."""
