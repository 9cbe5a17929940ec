"""How a command ends that does not succeed: an exception whose message is all that the user sees, and its exit code."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command with a message on stderr, without a traceback unless ``--debug`` is given.

    Attributes: code, the exit code.
    """

    code = 1


class Failed(CommandError):
    """What was asked for was possible, and failed: a check, or a training that diverged."""

    code = 1


class BadInput(CommandError):
    """What was given cannot be used: a file, or options that do not go together.

    >>> BadInput("points.csv: no such file").code
    2
    """

    code = 2
