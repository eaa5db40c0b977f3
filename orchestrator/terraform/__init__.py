"""How Terraform is run: the binary, its environment, its argv, and what it said."""
