"""Runs: plan, claim, apply, record, resume and promote the stacks of a project."""
