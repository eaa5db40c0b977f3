"""GitHub on loopback: repositories, pull requests, checks, deployments and issues, and a page to read them."""
