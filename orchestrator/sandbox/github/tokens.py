"""Authentication of requests by token, and the permissions of tokens."""

from __future__ import annotations

from orchestrator.sandbox.github.errors import GitHubError, forbidden, not_a_writer, not_found
from orchestrator.sandbox.github.model import AREAS, LEVELS, ROLES, GitHubWorld, HostedRepository, Token

# A reader may comment, review and propose; an app needs the right to write for that.
COMMENT = "comment"
_RANKS = {"none": 0, "read": 1, COMMENT: 2, "write": 3}


def authenticate(world: GitHubWorld, authorization: str) -> tuple[str, Token]:
    """The token in a request's Authorization header, with its record; 401 when it is unknown."""
    scheme, _, value = authorization.strip().partition(" ")
    if not scheme:
        raise GitHubError(401, "Requires authentication")
    token = world.tokens.get(value.strip()) if scheme.lower() in ("token", "bearer") else None
    if token is None:
        raise GitHubError(401, "Bad credentials")
    return value.strip(), token


def authorize(token: Token, repository: HostedRepository, needs: str) -> None:
    """Raise 403 or 404 unless the token has a permission.

    `needs` is `AREA:LEVEL`, or several of which one suffices (`a|b`).
    """
    alternatives = [word.partition(":")[::2] for word in needs.split("|")]
    if any(_has(token, repository, area, level) for area, level in alternatives):
        return
    if token.app:
        raise forbidden()
    if _role(token, repository) == 0:
        raise not_found()
    if any(area == "checks" for area, _ in alternatives):
        raise GitHubError(403, "You must authenticate via a GitHub App.")
    raise not_a_writer()


def parse_permissions(requested: dict[str, str]) -> dict[str, str]:
    """Permissions as `permissions:` of a workflow names them (`_` may stand for `-`), else ValueError."""
    named = {name.replace("_", "-"): level for name, level in requested.items()}
    for name, level in named.items():
        if name not in AREAS or level not in LEVELS:
            raise ValueError(f"no such permission: {name}: {level}")
    return named


def _role(token: Token, repository: HostedRepository) -> int:
    role = repository.roles.get(token.login, "none" if repository.private else "read")
    return ROLES.index(role)


def _has(token: Token, repository: HostedRepository, area: str, level: str) -> bool:
    if token.app:
        has = "read" if area == "metadata" else token.permissions.get(area, "none")
    else:
        has = _level_of_role(ROLES[_role(token, repository)], area)
    return _RANKS[has] >= _RANKS[level]


def _level_of_role(role: str, area: str) -> str:
    """What a person with a role may do in an area."""
    rank = ROLES.index(role)
    if role == "none":
        return "none"
    if area == "administration":
        return "write" if role == "admin" else "none"
    if area in ("checks", "metadata"):
        return "read"
    if rank >= ROLES.index("write"):
        return "write"
    if area in ("issues", "pull-requests"):
        return "write" if role == "triage" else COMMENT
    return "read"
