"""Looking into the ledger, and taking over what was done beside it."""
