"""The portal: static pages about stacks, runs and drift, in a folder that any host of files can serve."""
