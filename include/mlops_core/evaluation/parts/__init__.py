"""The parts of an evaluation: a module a part, whose ``measure`` makes its document."""
