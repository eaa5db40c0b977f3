"""Keeps real providers running between Terraform commands that only read."""
