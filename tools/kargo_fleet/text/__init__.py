"""Text without files: YAML read, written and edited, JSON Schema, version constraints, durations, words."""
