"""Models of results, and pure renderers that turn them into text."""
