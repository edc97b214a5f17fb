"""The model server: follows the ledger, serves what it says, and can be asked to prove it."""
