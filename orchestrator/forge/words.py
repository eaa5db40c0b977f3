"""The names that a forge has for things."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ForgeWords:
    """Names of one forge.

    `bot_suffix` ends the login of a program, `web_committer` is the account in whose name the forge commits
    what people do on its pages, `job_login` the account of a job's own token, and `variables` are the
    environment variables by which a job is connected.
    """

    name: str
    bot_suffix: str
    web_committer: str
    job_login: str
    variables: str

    def is_bot(self, login: str) -> bool:
        """Whether a login is a program's."""
        return login.endswith(self.bot_suffix)
