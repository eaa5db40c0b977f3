"""GitHub as a `Forge`, composed of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.forge.github.administration import Administration
from orchestrator.forge.github.comments import Comments
from orchestrator.forge.github.commits import Commits
from orchestrator.forge.github.issues import Issues
from orchestrator.forge.github.pulls import Pulls
from orchestrator.forge.github.teams import GitHubTeams
from orchestrator.forge.github.words import GITHUB_WORDS

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class GitHub(Pulls, Comments, Commits, Issues, Administration):
    """One repository on GitHub, with the permissions of one token. Close it, or use it as a context.

    `teams` is None without a separate token for them.
    """

    words = GITHUB_WORDS
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
