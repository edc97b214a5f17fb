"""Versions taken out of use: nothing depends on them, and an archive keeps what they were."""
