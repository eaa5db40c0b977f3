"""A cloud in a folder: a GCS server, simulated providers and their world, on loopback only."""
