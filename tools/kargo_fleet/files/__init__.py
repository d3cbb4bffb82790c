"""Files of the repository, and processes: reading, writing what is generated, worker processes."""
