"""Carrying it out: which stacks, in what order, how each is planned and applied, what was consented to."""
