"""Reads a repository: Git, Terraform code, stacks, modules, and the dependencies between them."""
