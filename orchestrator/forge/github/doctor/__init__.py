"""What `infra doctor --github` looks at."""
