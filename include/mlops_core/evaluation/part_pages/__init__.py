"""The parts of an evaluation as sections of its page: a module a part, with ``section``."""
