"""A cloud in a folder: a Cloud Storage server, a GitHub server and simulated providers, on loopback only."""
