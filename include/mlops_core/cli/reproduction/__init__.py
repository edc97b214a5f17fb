"""``mlops reproduce``: fit a version again, and compare the two."""
