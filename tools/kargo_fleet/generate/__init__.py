"""What a run would change: every service evaluated, or taken from the cache."""
