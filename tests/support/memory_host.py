"""A host of pull requests in memory, on a real repository: what people do, and what infra asks about it.

It has the verbs of `tests.support.github.GitHub` and what `orchestrator.forge.interface.Forge` asks about
who wrote, reviewed, labelled and merged. Each verb is a second later than the one before.
People: `rita` reads, `nobody` has no rights, everybody else writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from orchestrator.forge.github.words import GITHUB_WORDS
from orchestrator.forge.model import (
    BranchMove,
    LabelEvent,
    Permission,
    PullRequest,
    PullRequestCommit,
    Review,
    ReviewState,
)
from tests.support.github_server import TestClock
from tests.support.repo import Repo, read_refs

REPOSITORY = "acme/infra"


@dataclass
class _Pull:
    pull: PullRequest
    reviews: list[Review] = field(default_factory=list)
    labels: list[LabelEvent] = field(default_factory=list)
    on_trunk: set[str] = field(default_factory=set)


@dataclass
class MemoryTeams:
    """Who is in which team."""

    members: Mapping[str, tuple[str, ...]]

    def is_member(self, team: str, login: str) -> bool:
        return login in self.members.get(team, ())


class MemoryHost:
    """Pull requests by number, and the moves of branches; `teams` is what a token for them would see."""

    repository = REPOSITORY
    words = GITHUB_WORDS
    teams: MemoryTeams | None = None

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.clock = TestClock()
        self._pulls: dict[int, _Pull] = {}
        self._moves: dict[str, list[BranchMove]] = {}

    # What people do

    def go_to(self, branch: str) -> None:
        """Check a branch out as it is."""
        if (self.repo.root / ".git/HEAD").read_text().strip() != f"ref: refs/heads/{branch}":
            self.repo.git("checkout", "-q", "-f", branch)

    def commit(
        self,
        branch: str,
        files: Mapping[str, str | None] | None = None,
        message: str = "Change",
        *,
        pusher: str = "",
    ) -> str:
        """Commit to a branch, made from trunk when it is new; None deletes a file."""
        if branch in self._heads():
            self.go_to(branch)
        else:
            self.go_to("main")
            self.repo.branch(branch)
        self.repo.remove(*(name for name, text in (files or {}).items() if text is None))
        self.repo.commit({name: text for name, text in (files or {}).items() if text is not None}, message)
        return self.push(self.repo, branch, pusher=pusher)

    def push(self, repo: Repo, branch: str, *, pusher: str = "") -> str:
        """Note that a branch was pushed; the commit."""
        after = self._heads()[branch]
        pulls = [
            pull for pull in self._pulls.values() if pull.pull.head_ref == branch and not pull.pull.merged
        ]
        pusher = pusher or next((pull.pull.author for pull in pulls), "")
        moves = self._moves.setdefault(branch, [])
        moves.append(BranchMove(pusher, moves[-1].after if moves else "", after, self._now()))
        for pull in pulls:
            pull.pull = replace(pull.pull, head=after)
        return after

    def open(self, branch: str, title: str = "A change", author: str = "ada") -> int:
        """Open a pull request whose branch its author pushed; its number."""
        number = len(self._pulls) + 1
        moves = self._moves[branch]
        moves[:] = [replace(move, actor=move.actor or author) for move in moves]
        base = self.repo.git("merge-base", "main", branch)
        pull = PullRequest(
            number, title, author, "open", False, False, moves[-1].after, branch, REPOSITORY, base, "main"
        )
        self._pulls[number] = _Pull(replace(pull, created_at=self._now()))
        return number

    def review(self, number: int, user: str = "bert", state: ReviewState = "APPROVED") -> None:
        """Review the head of a pull request."""
        pull = self._pulls[number]
        pull.reviews.append(Review(user, state, pull.pull.head, self._now()))

    def label(self, number: int, name: str, by: str = "olga") -> None:
        """Put a label on."""
        self._pulls[number].labels.append(LabelEvent(name, by, self._now(), True))

    def unlabel(self, number: int, name: str, by: str = "olga") -> None:
        """Take a label off."""
        self._pulls[number].labels.append(LabelEvent(name, by, self._now(), False))

    def merge(self, number: int, method: str = "merge", by: str = "olga") -> str:
        """Merge (merge, squash, rebase); the commit on trunk."""
        pull = self._pulls[number]
        self.go_to("main")
        before = self.repo.head
        if method == "merge":
            self.repo.git("merge", "-q", "--no-ff", "--no-edit", pull.pull.head)
        elif method == "rebase":
            self.repo.git("cherry-pick", "--allow-empty", f"{pull.pull.base}..{pull.pull.head}")
        else:
            self.repo.git("merge", "-q", "--squash", pull.pull.head)
            self.repo.git("commit", "-q", "--allow-empty", "-m", f"{pull.pull.title} (#{number})")
        after = self.repo.head
        pull.on_trunk = set(self.repo.git("rev-list", f"{before}..{after}").split())
        now = self._now()
        pull.pull = replace(
            pull.pull, state="closed", merged=True, merge_commit=after, merged_at=now, merged_by=by
        )
        self._moves.setdefault("main", []).append(BranchMove(by, before, after, now))
        return after

    def head(self, number: int) -> str:
        """The head commit of a pull request."""
        return self._pulls[number].pull.head

    def edit(self, number: int, **changes: str | bool) -> None:
        """Let the host tell something else of a pull request: `edit(7, base_ref="release")`."""
        self._pulls[number].pull = replace(self._pulls[number].pull, **changes)  # type: ignore[arg-type]

    def _heads(self) -> dict[str, str]:
        refs = read_refs(self.repo.root / ".git")
        return {
            name.removeprefix("refs/heads/"): commit
            for name, commit in refs.items()
            if name.startswith("refs/heads/")
        }

    def _now(self) -> str:
        return f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"

    # What infra asks

    def pull_request(self, number: int) -> PullRequest:
        return self._pulls[number].pull

    def pull_requests_of(self, commit: str) -> list[PullRequest]:
        return [pull.pull for pull in self._pulls.values() if commit in pull.on_trunk]

    def changed_paths(self, number: int) -> list[str]:
        pull = self.pull_request(number)
        return self.repo.git("diff", "--name-only", f"{pull.base}...{pull.head}").splitlines()

    def pull_request_commits(self, number: int) -> list[PullRequestCommit]:
        pull = self.pull_request(number)
        lines = self.repo.git("log", "--format=%H %P", f"{pull.base}..{pull.head}").splitlines()
        return [PullRequestCommit(line.split()[0], tuple(line.split()[1:]), pull.author) for line in lines]

    def branch_moves(self, branch: str) -> list[BranchMove]:
        return list(self._moves.get(branch, ()))

    def reviews(self, number: int) -> list[Review]:
        return list(self._pulls[number].reviews)

    def label_events(self, number: int) -> list[LabelEvent]:
        return list(self._pulls[number].labels)

    def permission(self, login: str) -> Permission:
        return "read" if login == "rita" else "none" if login in ("", "nobody") else "write"
