"""After the merge: compare, apply in promotion order, settle, and tell."""
