"""GitHub on loopback: repositories, pull requests, checks, deployments, issues, and pages to read them."""
