"""``mlops lineage``: where a version comes from and what it made, and what became of a partition."""
