"""What is read from a cluster, as plain data."""
