"""The portal: static pages about all that is remembered, in a folder that any host of files can serve."""
