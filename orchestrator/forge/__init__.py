"""Forges, where reviews happen: one interface, and a folder for each, such as GitHub."""
