"""The changes of a run: every service evaluated, or taken from the cache."""
