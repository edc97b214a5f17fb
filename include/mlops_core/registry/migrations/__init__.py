"""How the ledger's tables came to be, step by step, run by Alembic when an older ledger is opened."""
