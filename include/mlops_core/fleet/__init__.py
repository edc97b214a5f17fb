"""What people see of all models and of one: read from the ledger, never written."""
