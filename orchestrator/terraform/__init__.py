"""Runs Terraform: the binary, its environment, its arguments and its output."""
