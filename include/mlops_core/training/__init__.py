"""Training: one job document in, one tracked run and one stored model out."""
