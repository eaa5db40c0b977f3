"""Where reviews happen: pull requests, comments, checks, deployments and issues of a host such as GitHub."""
