"""The command line: what is typed, what the exit status is, what goes to which stream."""
