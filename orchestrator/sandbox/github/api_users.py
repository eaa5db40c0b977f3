"""What the API tells that is of no repository: people, teams, and how many requests are left."""

from __future__ import annotations

import re
import time
from urllib.parse import unquote

from orchestrator.sandbox.github.call import Answer, Request
from orchestrator.sandbox.github.errors import forbidden, not_found
from orchestrator.sandbox.github.model import Token
from orchestrator.sandbox.github.shapes import Shapes

OPERATIONS = (
    ("GET", "/user"),
    ("GET", "/users/{username}"),
    ("GET", "/rate_limit"),
    ("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}"),
)
_MEMBERSHIP = re.compile(r"/orgs/([^/]+)/teams/([^/]+)/memberships/([^/]+)")


def answer(shapes: Shapes, token: Token, request: Request) -> Answer | None:
    """The answer, or None when the request is about a repository."""
    if request.path.startswith("/repos/"):
        return None
    if request.method != "GET":
        raise not_found()
    if request.path == "/user":
        # A workflow's token is an installation's, which is nobody.
        if token.app:
            raise forbidden()
        return Answer(200, shapes.whole_user(token.login, private=True))
    if request.path == "/rate_limit":
        return Answer(200, rate_limit())
    membership = _MEMBERSHIP.fullmatch(request.path)
    if membership:
        return _membership(shapes, token, request, *map(unquote, membership.groups()))
    login = unquote(request.path.removeprefix("/users/"))
    if login not in shapes.world.users:
        raise not_found()
    return Answer(200, shapes.whole_user(login))


def _membership(
    shapes: Shapes, token: Token, request: Request, organization: str, team: str, login: str
) -> Answer:
    """Whether somebody is in a team; an app's token needs `members: read`, which no workflow's has."""
    if token.app and token.permissions.get("members", "none") == "none":
        raise forbidden()
    if login not in shapes.world.teams.get(f"{organization}/{team}", ()):
        raise not_found()
    return Answer(200, {"url": f"{shapes.base}{request.path}", "role": "member", "state": "active"})


def rate_limit() -> dict[str, object]:
    """How many requests are left: enough."""
    one = {"limit": 15_000, "remaining": 15_000, "reset": int(time.time()) + 3600, "used": 0}
    return {"resources": {"core": one, "search": one, "graphql": one}, "rate": one}
