"""Plans: model, reader, digests and their comparison, policy rules."""
