"""Failures that end a run, as opposed to findings, which are collected and reported together."""


class FleetError(Exception):
    """An error that ends the command, with exit status 2: wrong usage, or an unusable environment.

    The text has what is wrong and what to do, in one or more lines. No traceback is printed.
    """


class WrongFolderError(FleetError):
    """A command that belongs into another folder, `folder`. The command line to run there is added to the text."""

    def __init__(self, message: str, folder: str) -> None:
        super().__init__(message)
        self.folder = folder
