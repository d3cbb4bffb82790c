"""Failures that end a run, as opposed to findings, which are collected and reported together."""


class FleetError(Exception):
    """An error that ends the command, with exit status 2: wrong usage, or an unusable environment.

    The text has what is wrong and what to do, in one or more lines. No traceback is printed.
    """
