"""Checks of code and setup: lint, module tests, lock files, and the doctor."""
