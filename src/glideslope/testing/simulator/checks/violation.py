"""A broken promise."""


class Violation(AssertionError):
    """Something happened that may never happen."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise
        self.what = what
