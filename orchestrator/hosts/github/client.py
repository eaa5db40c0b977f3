"""GitHub as a `Host`, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.hosts.github.comments import Comments
from orchestrator.hosts.github.commits import Commits
from orchestrator.hosts.github.issues import Issues
from orchestrator.hosts.github.pulls import Pulls
from orchestrator.hosts.github.settings import Settings
from orchestrator.hosts.github.teams import GitHubTeams

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class GitHub(Pulls, Comments, Commits, Issues, Settings):
    """One repository on GitHub, as the holder of one token sees it. Close it, or use it as a context.

    `teams` is None without a token of its own for them.
    """

    teams: GitHubTeams | None = None

    def close(self) -> None:
        """Give the connections back."""
        if self.teams:
            self.teams.close()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
