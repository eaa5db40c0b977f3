"""Templates for `infra new`: where they come from, how they are rendered, and how copies are updated."""
