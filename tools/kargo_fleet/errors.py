"""Failures that end a run, as opposed to findings, which are collected and reported together."""


class FleetError(Exception):
    """The command cannot go on: wrong usage, or an environment that it cannot work in. Ends with exit status 2.

    The text says what is wrong and what to do, in one or more lines, without a traceback.
    """
