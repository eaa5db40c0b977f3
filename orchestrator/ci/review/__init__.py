"""A pull request's plans: from its code to one comment, and a check for each environment."""
