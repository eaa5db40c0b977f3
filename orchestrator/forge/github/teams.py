"""Reads team membership in an organization, with a separate token."""

from __future__ import annotations

from urllib.parse import quote

from orchestrator.errors import ForgeError
from orchestrator.forge.github.calls import Calls


class GitHubTeams(Calls):
    """The teams of organizations. Close it after use."""

    def is_member(self, team: str, login: str) -> bool:
        """Whether somebody is in a team, `ORGANIZATION/TEAM`, or in one below it.

        An invitation that was not accepted is not enough.
        """
        organization, _, slug = team.partition("/")
        parts = (quote(part, safe="") for part in (organization, slug, login))
        path = "/orgs/{}/teams/{}/memberships/{}".format(*parts)

        def request() -> str:
            return str(self._requester.requestJsonAndCheck("GET", path)[1]["state"])

        try:
            return self._ask(f"ask whether {login} is in {team}", "members: read", request) == "active"
        except ForgeError as error:
            if error.status != 404:
                raise
            return False
