"""What the triggerer waits for while tasks hold no worker slot."""
