"""Plans a pull request: from its code to one comment, and a check for each environment."""
