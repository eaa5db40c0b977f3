"""The commands: one file each, which parses, calls, renders and returns an exit code."""
