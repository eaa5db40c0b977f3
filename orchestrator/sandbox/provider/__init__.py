"""The simulated provider: any Terraform provider, played from its recorded schema against a world of files."""
