"""How each kind of gate judges: a module a kind, with ``words``, ``subject`` and ``judge``."""
