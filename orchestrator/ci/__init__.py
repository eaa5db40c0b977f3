"""What CI jobs do around the pipeline: from a pull request's plan to what the merge applies."""
