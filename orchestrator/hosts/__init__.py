"""Where reviews happen: pull requests, comments, checks, deployments and issues of a host such as GitHub.

`github.open_host(environ)` opens the one that an environment names; `port.Host` is what it can do.
"""
