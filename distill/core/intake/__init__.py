"""From the user's files to clean records: reading, checks, splits, the pool, the ledger and the audit."""
