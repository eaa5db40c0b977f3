"""What a plan means: who changes, how, and in which attributes, masked."""
