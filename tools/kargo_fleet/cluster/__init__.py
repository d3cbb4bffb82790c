"""Reading a cluster into plain data."""
