"""The guard: refuses code that would run programs, leak data or read foreign files while it is planned.

`check` is the entry; `modules` goes through the code that a plan reads, `rules` judges it, `files` judges
what lies beside it. Nothing is run and nothing is fetched.
"""
