"""The names of a snapshot's columns, and its partitions. Light: the declaration imports it."""

KEY = "image_id"
TARGET = "digit"

SIDE = 8
PIXELS = tuple(f"pixel_{row}_{column}" for row in range(SIDE) for column in range(SIDE))
"""Row by row from the upper left; each counts the dark dots of a square of 4 by 4, 0 to 16."""

DARKEST = 16

PARTITIONS = tuple(f"1998-{month:02}" for month in range(1, 10))
"""The scans have no dates: their order, which keeps the writers together, is cut into nine months."""
