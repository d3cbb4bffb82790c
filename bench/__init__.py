"""Benchmarks: the time the tool takes, compared with its alternatives. `make bench` writes docs/benchmarks.md."""
