"""People, repositories and labels as GitHub's API tells them."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from orchestrator.sandbox.github.git import Person
from orchestrator.sandbox.github.model import BOT, ROLES, GitHubWorld, HostedRepository, Label, Reaction, User

Document = dict[str, Any]

_USER_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
    "hooks_url": "/hooks",
}
_NOTHING = ("forks", "forks_count", "stargazers_count", "watchers_count", "watchers", "size")


def node(kind: str, id_: int) -> str:
    """A GraphQL id."""
    return b64encode(f"{kind}:{id_}".encode()).decode()


def team_id(name: str) -> int:
    """The id of a team, `ORGANIZATION/TEAM`: the same in each run."""
    return 1_000_000 + zlib.crc32(name.encode()) % 1_000_000


class ApiDocuments:
    """Makes documents of one server's things. `base` is its address without a slash at the end."""

    def __init__(self, world: GitHubWorld, base: str) -> None:
        self.world = world
        self.base = base

    def api(self, repository: HostedRepository, path: str = "") -> str:
        """The address of something of a repository in the API."""
        return f"{self.base}/repos/{repository.full_name}{path}"

    def html(self, repository: HostedRepository, path: str = "") -> str:
        """The address of something of a repository for people."""
        return f"{self.base}/{repository.full_name}{path}"

    def user(self, login: str) -> Document:
        """A user; an unknown login is shown as a person."""
        user = self.world.users.get(login) or User(1, login, "User", "2020-01-01T00:00:00Z")
        api = f"{self.base}/users/{quote(login)}"
        name = login.removesuffix(BOT)
        return {
            "login": login,
            "id": user.id,
            "node_id": node("U", user.id),
            "avatar_url": f"{self.base}/avatars/{user.id}",
            "gravatar_id": "",
            "url": api,
            "html_url": f"{self.base}/apps/{name}" if login.endswith(BOT) else f"{self.base}/{login}",
            **{key: api + path for key, path in _USER_URLS.items()},
            "type": user.kind,
            "site_admin": False,
        }

    def maybe_user(self, login: str) -> Document | None:
        """Somebody, or nobody when there is no login."""
        return self.user(login) if login else None

    def user_of(self, person: Person) -> Document | None:
        """Whose commit it is: the user of a noreply address, `LOGIN@` or `ID+LOGIN@`.

        GitHub's own address is `web-flow`; no other one is anybody's here.
        """
        local, _, domain = person.email.partition("@")
        if person.email == "noreply@github.com":
            return self.user("web-flow")
        login = local.rpartition("+")[2] if domain == "users.noreply.github.com" else ""
        return self.user(login) if login in self.world.users else None

    def whole_user(self, login: str, *, private: bool = False) -> Document:
        """Somebody's own page; with `private` as the person alone sees it."""
        since = self.world.users[login].created_at
        texts = ("name", "company", "location", "email", "bio", "twitter_username")
        counts = ("public_repos", "public_gists", "followers", "following")
        own = ("private_gists", "total_private_repos", "owned_private_repos", "disk_usage", "collaborators")
        return {
            **self.user(login),
            **dict.fromkeys(texts),
            "blog": "",
            "hireable": None,
            **dict.fromkeys(counts, 0),
            "created_at": since,
            "updated_at": since,
            **({**dict.fromkeys(own, 0), "two_factor_authentication": True} if private else {}),
        }

    def team(self, name: str) -> Document:
        """A team, `ORGANIZATION/TEAM`."""
        organization, _, slug = name.partition("/")
        url = f"{self.base}/orgs/{quote(organization)}/teams/{quote(slug)}"
        id_ = team_id(name)
        return {
            "id": id_,
            "node_id": node("T", id_),
            "url": url,
            "html_url": url,
            "members_url": f"{url}/members{{/member}}",
            "repositories_url": f"{url}/repos",
            "name": slug,
            "slug": slug,
            "description": None,
            "permission": "push",
            "type": "organization",
            "parent": None,
        }

    def whole_team(self, name: str) -> Document:
        """A team's own page."""
        organization = self.user(name.partition("/")[0])
        url, since = organization["url"], "2020-01-01T00:00:00Z"
        counts = ("public_repos", "public_gists", "followers", "following")
        return {
            **self.team(name),
            "created_at": since,
            "updated_at": since,
            "members_count": len(self.world.teams[name]),
            "repos_count": 1,
            "organization": {
                **organization,
                "type": "Organization",
                "description": None,
                "hooks_url": f"{url}/hooks",
                "issues_url": f"{url}/issues",
                "members_url": f"{url}/members{{/member}}",
                "public_members_url": f"{url}/public_members{{/member}}",
                "events_url": f"{url}/events",
                "has_organization_projects": True,
                "has_repository_projects": True,
                **dict.fromkeys(counts, 0),
                "created_at": since,
                "updated_at": since,
                "archived_at": None,
            },
        }

    def app(self, slug: str) -> Document | None:
        """An app, by its slug; None for a person's work."""
        if not slug:
            return None
        id_ = 15368 if slug == "github-actions" else 100_000 + sum(slug.encode())
        return {
            "id": id_,
            "slug": slug,
            "node_id": node("A", id_),
            "owner": self.user("github"),
            "name": slug.replace("-", " ").title(),
            "description": "",
            "external_url": f"{self.base}/apps/{slug}",
            "html_url": f"{self.base}/apps/{slug}",
            "created_at": "2020-01-01T00:00:00Z",
            "updated_at": "2020-01-01T00:00:00Z",
            "permissions": {"metadata": "read"},
            "events": [],
        }

    def repository(self, repository: HostedRepository) -> Document:
        """A repository as it stands inside of other things."""
        issues = sum(issue.state == "open" for issue in repository.issues.values())
        return {
            "id": repository.id,
            "node_id": node("R", repository.id),
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": self.user(repository.owner),
            "private": repository.private,
            "visibility": "private" if repository.private else "public",
            "html_url": self.html(repository),
            "description": None,
            "fork": False,
            "url": self.api(repository),
            **{key: self.api(repository, path) for key, path in _REPOSITORY_URLS.items()},
            "git_url": f"git://127.0.0.1/{repository.full_name}.git",
            "ssh_url": f"git@127.0.0.1:{repository.full_name}.git",
            "clone_url": repository.git,
            "svn_url": self.html(repository),
            "mirror_url": None,
            "homepage": None,
            "language": "HCL",
            "license": None,
            **dict.fromkeys(_NOTHING, 0),
            "default_branch": repository.default_branch,
            "open_issues": issues,
            "open_issues_count": issues,
            "has_issues": True,
            **dict.fromkeys(("has_projects", "has_wiki", "has_pages", "has_downloads"), False),
            "archived": False,
            "disabled": False,
            **dict.fromkeys(("pushed_at", "created_at", "updated_at"), repository.created_at),
        }

    def whole_repository(self, repository: HostedRepository, role: str) -> Document:
        """A repository as its own address tells it; `role` is the reader's."""
        rights = {
            "pull": "read",
            "triage": "triage",
            "push": "write",
            "maintain": "maintain",
            "admin": "admin",
        }
        return {
            **self.repository(repository),
            "has_discussions": False,
            "subscribers_count": 0,
            "network_count": 0,
            "permissions": {name: ROLES.index(role) >= ROLES.index(least) for name, least in rights.items()},
            "allow_merge_commit": repository.merges.get("merge", True),
            "allow_squash_merge": repository.merges.get("squash", True),
            "allow_rebase_merge": repository.merges.get("rebase", True),
            "delete_branch_on_merge": repository.merges.get("delete_branch", False),
            "allow_auto_merge": False,
            "organization": self.user(repository.owner),
        }

    def minimal_repository(self, repository: HostedRepository) -> Document:
        """A repository in brief."""
        whole = self.repository(repository)
        omitted = (
            "license",
            "git_url",
            "ssh_url",
            "clone_url",
            "svn_url",
            "mirror_url",
            "homepage",
            "language",
        )
        return {key: value for key, value in whole.items() if key not in omitted}

    def label(self, repository: HostedRepository, name: str) -> Document:
        """A label."""
        label = repository.labels.get(name) or Label(1, name)
        return {
            "id": label.id,
            "node_id": node("LA", label.id),
            "url": self.api(repository, f"/labels/{quote(label.name, safe='')}"),
            "name": label.name,
            "description": label.description,
            "color": label.color,
            "default": False,
        }

    def reaction(self, reaction: Reaction) -> Document:
        """An emoji on a comment."""
        return {
            "id": reaction.id,
            "node_id": node("REA", reaction.id),
            "user": self.user(reaction.login),
            "content": reaction.content,
            "created_at": reaction.created_at,
        }
