"""One module per command; each has a plain function that gets its arguments spelled out and returns the exit status."""
