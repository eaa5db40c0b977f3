"""What people approved on GitHub, and whether a plan is that."""
