"""The dataset over states, ledgers, runs and drift records, with queries, impact and metrics."""
