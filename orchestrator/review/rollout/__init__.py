"""The rollout after a merge: compare, apply in promotion order, finalize, and publish."""
