"""Setting up a platform: credentials for Kargo."""
