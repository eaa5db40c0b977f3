"""Reads saved plan files without Terraform."""
