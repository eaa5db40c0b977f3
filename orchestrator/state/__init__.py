"""Remote memory: storage, state files, locks, ledger, plan objects and promotion records."""
