"""``mlops check``: every stage of one model on a small sample, in this process, without any server."""
