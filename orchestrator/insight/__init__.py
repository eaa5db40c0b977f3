"""The dataset over everything that is remembered, and what is asked of it: queries, impact, metrics."""
