"""One module per command: a plain function with explicit parameters that returns the exit status."""
