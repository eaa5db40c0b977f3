"""Who may approve a pull request, and which of its reviews count."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.errors import AuthorsUnknownError
from orchestrator.hosts.model import WRITERS, BranchMove, PullRequest, PullRequestCommit, Review
from orchestrator.hosts.port import Host
from orchestrator.project.git import Repository

BOT = "[bot]"
# The account in whose name GitHub commits what people do on its pages.
WEB_FLOW = "web-flow"
# GitHub lists no more commits of one pull request.
MOST_COMMITS = 250


@dataclass
class Reviewers:
    """Asks the host who wrote and who reviewed a pull request, each question once.

    `repository` tells clean merges of trunk from others; without one every merge is its pusher's own work.
    """

    host: Host
    repository: Repository | None = None
    _writers: dict[str, bool] = field(default_factory=dict, repr=False)
    _authors: dict[tuple[int, str], frozenset[str]] = field(default_factory=dict, repr=False)
    _listed: dict[tuple[int, str], Sequence[PullRequestCommit]] = field(default_factory=dict, repr=False)
    _fetched: set[int] = field(default_factory=set, repr=False)

    def authors(self, pull_request: PullRequest) -> frozenset[str]:
        """Who wrote a pull request, in lower case.

        That is who opened it, who pushed to its branch, and whom its commits name as their authors. Nobody
        becomes an author by `web-flow`, nor by a clean merge of trunk. Raises HostError; AuthorsUnknownError
        where the host does not tell who made the head.
        """
        key = (pull_request.number, pull_request.head)
        if key not in self._authors:
            logins = {pull_request.author, *self._pushers(pull_request), *self._declared(pull_request)}
            self._authors[key] = frozenset(login.lower() for login in logins) - {"", WEB_FLOW}
        return self._authors[key]

    def may_approve(self, login: str, pull_request: PullRequest, carried: Collection[str] = ()) -> bool:
        """Whether somebody may approve it: may write, is no bot, and wrote none of it.

        `carried` are the authors of other changes, in lower case, that it approves too.
        """
        if not login or login.endswith(BOT) or login.lower() == pull_request.author.lower():
            return False
        if login not in self._writers:
            self._writers[login] = self.host.permission(login) in WRITERS
        if not self._writers[login]:
            return False
        return login.lower() not in carried and login.lower() not in self.authors(pull_request)

    def approvals(self, pull_request: PullRequest, carried: Collection[str] = ()) -> list[Review]:
        """The reviews that approve its head and count, oldest first."""
        found = [
            review
            for review in current_reviews(self.host.reviews(pull_request.number))
            if review.state == "APPROVED"
            and review.commit == pull_request.head
            and self.may_approve(review.author, pull_request, carried)
        ]
        return sorted(found, key=lambda review: moment(review.submitted_at))

    def labelled_at(
        self, pull_request: PullRequest, label: str, carried: Collection[str] = ()
    ) -> datetime | None:
        """When a label that is still there was set by somebody who may approve; None otherwise."""
        events = [one for one in self.host.label_events(pull_request.number) if one.label == label]
        last = max(events, key=lambda one: moment(one.at), default=None)
        if last is None or not last.added or not self.may_approve(last.actor, pull_request, carried):
            return None
        return moment(last.at)

    def author_of_push(self, branch: str, commit: str) -> frozenset[str]:
        """Who brought a commit to trunk without a pull request, in lower case: the first push that has it.

        Raises HostError; AuthorsUnknownError where the host does not tell.
        """
        moves = self.host.branch_moves(branch) if self.repository else ()
        for move in moves:
            if self.repository and move.after and self.repository.is_ancestor(commit, move.after):
                authors = frozenset({move.actor.lower()}) - {"", WEB_FLOW}
                if authors:
                    return authors
                break
        raise AuthorsUnknownError(
            f"GitHub does not tell who pushed {commit[:10]} to {branch}.",
            advice="Revert it on trunk and bring it back by a pull request, so that its authors are known.",
        )

    def _pushers(self, pull_request: PullRequest) -> set[str]:
        """Who moved the branch since it was made, or since the pull request was opened if that is earlier."""
        if pull_request.head_repository.lower() != self.host.repository.lower():
            raise AuthorsUnknownError(
                f"Who pushed to #{pull_request.number} cannot be told: its branch is in another repository.",
                advice="Push the branch to this repository and open a pull request from there.",
            )
        moves = _since_made(self.host.branch_moves(pull_request.head_ref), pull_request.created_at)
        if not any(move.after == pull_request.head for move in moves):
            raise AuthorsUnknownError(
                f"GitHub does not tell who pushed {pull_request.head[:10]} of #{pull_request.number}.",
                advice="Push a new commit to the branch and have it reviewed.",
            )
        pushes = [move for move in moves if move.after]
        return {move.actor for move in pushes if not self._is_merge_of_trunk(pull_request, move)}

    def _is_merge_of_trunk(self, pull_request: PullRequest, move: BranchMove) -> bool:
        """Whether a move of the branch brought a clean merge of trunk and nothing else."""
        commits = {commit.id: commit for commit in self._commits(pull_request)}
        commit = commits.get(move.after)
        return (
            commit is not None
            and commit.parents[:1] == (move.before,)
            and self._is_clean(pull_request, move.after)
        )

    def _declared(self, pull_request: PullRequest) -> set[str]:
        """The authors that its commits declare; a second line, since anybody can declare anything."""
        commits = self._commits(pull_request)
        if len(commits) >= MOST_COMMITS:
            raise AuthorsUnknownError(
                f"#{pull_request.number} has {MOST_COMMITS} commits or more; GitHub lists no more of them.",
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
        """Trunk before the pull request was merged: what it brought itself is no trunk to merge from."""
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
            self._listed[key] = self.host.pull_request_commits(pull_request.number)
        return self._listed[key]


def current_reviews(reviews: Sequence[Review]) -> list[Review]:
    """The last review of each reviewer that decides; a comment does not."""
    last: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda one: moment(one.submitted_at)):
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            last[review.author] = review
    return list(last.values())


def moment(text: str) -> datetime:
    """A time of the host, RFC 3339."""
    return datetime.fromisoformat(text)


def _since_made(moves: Sequence[BranchMove], opened: str) -> list[BranchMove]:
    """The moves since the branch was last made before its pull request was opened.

    An older branch of the same name is another one; what happened after the opening always counts.
    """
    start = 0
    for index, move in enumerate(moves):
        if not move.before and (not opened or moment(move.at) <= moment(opened)):
            start = index
    return list(moves[start:])
