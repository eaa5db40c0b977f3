"""The plan of a pull request, its comparison with the approval, and the rollout after the merge."""
