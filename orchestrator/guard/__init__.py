"""The guard: refuses code that would run programs, leak data or read other files while it is planned.

`check` is the entry point; `guarded_code` walks the code that a plan reads, `rules` checks it, `files` checks
the files beside it. Nothing is executed and nothing is fetched.
"""
