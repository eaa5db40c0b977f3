"""The API of users, teams and rate limits, which belongs to no repository."""

from __future__ import annotations

import re
import time
from urllib.parse import unquote

from orchestrator.sandbox.github.call import ApiResponse
from orchestrator.sandbox.github.errors import forbidden, not_found
from orchestrator.sandbox.github.model import Token
from orchestrator.sandbox.github.shapes import ApiDocuments
from orchestrator.sandbox.http import HttpRequest

OPERATIONS = (
    ("GET", "/user"),
    ("GET", "/users/{username}"),
    ("GET", "/rate_limit"),
    ("GET", "/orgs/{org}/teams/{team_slug}"),
    ("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}"),
)
_TEAM = re.compile(r"/orgs/([^/]+)/teams/([^/]+)")
_MEMBERSHIP = re.compile(r"/orgs/([^/]+)/teams/([^/]+)/memberships/([^/]+)")


def answer(shapes: ApiDocuments, token: Token, request: HttpRequest) -> ApiResponse | None:
    """The answer, or None when the request is about a repository."""
    if request.path.startswith("/repos/"):
        return None
    if request.method != "GET":
        raise not_found()
    if request.path == "/user":
        # A workflow's token is an installation's, which is nobody.
        if token.app:
            raise forbidden()
        return ApiResponse(200, shapes.whole_user(token.login, private=True))
    if request.path == "/rate_limit":
        return ApiResponse(200, rate_limit())
    membership = _MEMBERSHIP.fullmatch(request.path)
    if membership:
        return _membership(shapes, token, request, *map(unquote, membership.groups()))
    team = _TEAM.fullmatch(request.path)
    if team:
        return _team(shapes, token, "/".join(map(unquote, team.groups())))
    login = unquote(request.path.removeprefix("/users/"))
    if login not in shapes.world.users:
        raise not_found()
    return ApiResponse(200, shapes.whole_user(login))


def _team(shapes: ApiDocuments, token: Token, name: str) -> ApiResponse:
    """A team; an app's token needs `members: read`."""
    if token.app and token.permissions.get("members", "none") == "none":
        raise forbidden()
    if name not in shapes.world.teams:
        raise not_found()
    return ApiResponse(200, shapes.whole_team(name))


def _membership(
    shapes: ApiDocuments, token: Token, request: HttpRequest, organization: str, team: str, login: str
) -> ApiResponse:
    """Whether somebody is in a team; an app's token needs `members: read`, which no workflow's has."""
    if token.app and token.permissions.get("members", "none") == "none":
        raise forbidden()
    if login not in shapes.world.teams.get(f"{organization}/{team}", ()):
        raise not_found()
    return ApiResponse(200, {"url": f"{shapes.base}{request.path}", "role": "member", "state": "active"})


def rate_limit() -> dict[str, object]:
    """The rate limits, which are never reached."""
    limits = {"limit": 15_000, "remaining": 15_000, "reset": int(time.time()) + 3600, "used": 0}
    return {"resources": {"core": limits, "search": limits, "graphql": limits}, "rate": limits}
