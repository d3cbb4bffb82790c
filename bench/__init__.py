"""Benchmarks: how long the tool takes, beside what people would use instead. `make bench` writes docs/benchmarks.md."""
