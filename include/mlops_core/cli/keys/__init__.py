"""``mlops keys``: the pair that signs model versions, and the public keys that are trusted."""
