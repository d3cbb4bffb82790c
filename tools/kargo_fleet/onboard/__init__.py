"""What a platform needs once: credentials for Kargo."""
