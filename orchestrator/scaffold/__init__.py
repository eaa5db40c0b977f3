"""Files that infra writes into a repository, and the bootstrap."""
