"""Finds who may approve a pull request, and which of its reviews count."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.errors import AuthorsUnknownError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import WRITERS, BranchMove, PullRequest, PullRequestCommit, Review
from orchestrator.repository.git import Repository

# A forge lists no more commits of one pull request.
MAX_COMMITS = 250


@dataclass
class Reviewers:
    """Reads the authors and reviews of pull requests from the forge; answers are cached.

    `repository` detects clean merges of trunk; without it every merge counts as its pusher's work.
    """

    forge: Forge
    repository: Repository | None = None
    _writers: dict[str, bool] = field(default_factory=dict, repr=False)
    _authors: dict[tuple[int, str], frozenset[str]] = field(default_factory=dict, repr=False)
    _listed: dict[tuple[int, str], Sequence[PullRequestCommit]] = field(default_factory=dict, repr=False)
    _fetched: set[int] = field(default_factory=set, repr=False)

    def authors(self, pull_request: PullRequest) -> frozenset[str]:
        """The authors of a pull request, in lower case.

        These are who opened it, who pushed to its branch, and the authors of its commits. A commit of
        the forge itself and a clean merge of trunk make nobody an author. Raises ForgeError;
        AuthorsUnknownError if the forge does not report who pushed the head.
        """
        key = (pull_request.number, pull_request.head)
        if key not in self._authors:
            logins = {pull_request.author, *self._pushers(pull_request), *self._declared(pull_request)}
            self._authors[key] = frozenset(login.lower() for login in logins) - {
                "",
                self.forge.words.web_committer,
            }
        return self._authors[key]

    def may_approve(self, login: str, pull_request: PullRequest, carried: Collection[str] = ()) -> bool:
        """Whether a person may approve it: has write permission, is no bot, and is none of its authors.

        `carried` are the authors, in lower case, of other changes that the pull request approves too.
        """
        if not login or self.forge.words.is_bot(login) or login.lower() == pull_request.author.lower():
            return False
        if login not in self._writers:
            self._writers[login] = self.forge.permission(login) in WRITERS
        if not self._writers[login]:
            return False
        return login.lower() not in carried and login.lower() not in self.authors(pull_request)

    def approvals(self, pull_request: PullRequest, carried: Collection[str] = ()) -> list[Review]:
        """The reviews that approve its head and count, oldest first."""
        reviews = [
            review
            for review in find_current_reviews(self.forge.reviews(pull_request.number))
            if review.state == "APPROVED"
            and review.commit == pull_request.head
            and self.may_approve(review.author, pull_request, carried)
        ]
        return sorted(reviews, key=lambda review: parse_time(review.submitted_at))

    def labelled_at(
        self, pull_request: PullRequest, label: str, carried: Collection[str] = ()
    ) -> datetime | None:
        """When somebody who may approve set a label that is still there; None otherwise."""
        events = [
            label_event
            for label_event in self.forge.label_events(pull_request.number)
            if label_event.label == label
        ]
        last = max(events, key=lambda event: parse_time(event.at), default=None)
        if last is None or not last.added or not self.may_approve(last.actor, pull_request, carried):
            return None
        return parse_time(last.at)

    def author_of_push(self, branch: str, commit: str) -> frozenset[str]:
        """The login, in lower case, of the first push to trunk that contains a commit.

        Raises ForgeError; AuthorsUnknownError if the forge does not report it.
        """
        moves = self.forge.branch_moves(branch) if self.repository else ()
        for move in moves:
            if self.repository and move.after and self.repository.is_ancestor(commit, move.after):
                authors = frozenset({move.actor.lower()}) - {"", self.forge.words.web_committer}
                if authors:
                    return authors
                break
        raise AuthorsUnknownError(
            f"{self.forge.words.name} does not report who pushed {commit[:10]} to {branch}.",
            advice="Revert it on trunk and bring it back by a pull request, so that its authors are known.",
        )

    def _pushers(self, pull_request: PullRequest) -> set[str]:
        """The logins that pushed to the branch since its creation or opening, whichever is earlier."""
        if pull_request.head_repository.lower() != self.forge.repository.lower():
            raise AuthorsUnknownError(
                f"Who pushed to #{pull_request.number} cannot be told: its branch is in another repository.",
                advice="Push the branch to this repository and open a pull request from there.",
            )
        moves = _since_made(self.forge.branch_moves(pull_request.head_ref), pull_request.created_at)
        if not any(move.after == pull_request.head for move in moves):
            raise AuthorsUnknownError(
                f"{self.forge.words.name} does not report who pushed {pull_request.head[:10]} of "
                f"#{pull_request.number}.",
                advice="Push a new commit to the branch and have it reviewed.",
            )
        pushes = [move for move in moves if move.after]
        return {move.actor for move in pushes if not self._is_merge_of_trunk(pull_request, move)}

    def _is_merge_of_trunk(self, pull_request: PullRequest, move: BranchMove) -> bool:
        """Whether a push brought a clean merge of trunk and nothing else."""
        commits = {commit.id: commit for commit in self._commits(pull_request)}
        commit = commits.get(move.after)
        return (
            commit is not None
            and commit.parents[:1] == (move.before,)
            and self._is_clean(pull_request, move.after)
        )

    def _declared(self, pull_request: PullRequest) -> set[str]:
        """The authors named in its commits; an additional check, since anybody can claim to be any author."""
        commits = self._commits(pull_request)
        if len(commits) >= MAX_COMMITS:
            raise AuthorsUnknownError(
                f"#{pull_request.number} has {MAX_COMMITS} commits or more; "
                f"{self.forge.words.name} lists no more of them.",
                advice="Squash its commits, or split it.",
            )
        return {
            commit.author
            for commit in commits
            if len(commit.parents) != 2 or not self._is_clean(pull_request, commit.id)
        }

    def _is_clean(self, pull_request: PullRequest, commit: str) -> bool:
        if self.repository is None:
            return False
        trunk = self._trunk_before(pull_request)
        if self.repository.is_clean_merge(commit, trunk):
            return True
        if pull_request.number in self._fetched or self.repository.has_commit(commit):
            return False
        self._fetched.add(pull_request.number)
        self.repository.fetch_pull_request(pull_request.number)
        return self.repository.is_clean_merge(commit, trunk)

    def _trunk_before(self, pull_request: PullRequest) -> str:
        """Trunk before the pull request was merged."""
        if (
            pull_request.merge_commit
            and self.repository
            and self.repository.has_commit(pull_request.merge_commit)
        ):
            return self.repository.commit(pull_request.merge_commit).parents[0]
        return pull_request.base

    def _commits(self, pull_request: PullRequest) -> Sequence[PullRequestCommit]:
        key = (pull_request.number, pull_request.head)
        if key not in self._listed:
            self._listed[key] = self.forge.pull_request_commits(pull_request.number)
        return self._listed[key]


def find_current_reviews(reviews: Sequence[Review]) -> list[Review]:
    """The last review of each reviewer that approves, requests changes or was dismissed."""
    last: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda review_: parse_time(review_.submitted_at)):
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            last[review.author] = review
    return list(last.values())


def parse_time(text: str) -> datetime:
    """Parses an RFC 3339 time of the forge."""
    return datetime.fromisoformat(text)


def _since_made(moves: Sequence[BranchMove], opened: str) -> list[BranchMove]:
    """The moves since the branch was last created before its pull request was opened.

    An older branch of the same name is ignored; every move after the opening counts.
    """
    start = 0
    for index, move in enumerate(moves):
        if not move.before and (not opened or parse_time(move.at) <= parse_time(opened)):
            start = index
    return list(moves[start:])
