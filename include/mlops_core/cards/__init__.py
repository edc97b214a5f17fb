"""Model cards: what a version is, what it was measured to be, and what is known not to be good about it."""
