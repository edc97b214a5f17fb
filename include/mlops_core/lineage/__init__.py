"""Where a version comes from and what it made, and what became of a partition: read from what is recorded."""
