"""What can go wrong for a user, and what the user can do about it.

Faults of the *traffic* are not exceptions: they are values in the report (`model.Fault`). The exceptions
here are for what keeps the program from doing its work at all; their text is one line that ends in advice.
"""


class AnalyzerError(Exception):
    """Base of everything this package raises on purpose. `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(AnalyzerError):
    """The command or the call was used wrongly."""

    exit_code = 2


class InputError(AnalyzerError):
    """The input could not be read at all."""

    exit_code = 3


class LiveError(AnalyzerError):
    """A live capture could not start."""

    exit_code = 4


class FlowPageError(UsageError):
    """A flow page that cannot be used: names the file, the line and the reason."""

    def __init__(self, path: str, line: int, reason: str):
        super().__init__(f"{path}:{line}: {reason}")
        self.path, self.line, self.reason = path, line, reason
