"""The simulated provider: any provider, played from its recorded schema against a world of files."""
