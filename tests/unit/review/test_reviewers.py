"""Who wrote a pull request and who may approve it, by a host in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

import pytest

from orchestrator.errors import AuthorsUnknownError
from orchestrator.forge.github.words import GITHUB_WORDS
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import BranchMove, LabelEvent, PullRequest, PullRequestCommit, Review
from orchestrator.forge.words import ForgeWords
from orchestrator.repository.git import Repository
from orchestrator.review.reviewers import Reviewers

PULL = PullRequest(
    number=7,
    title="A change",
    author="ada",
    state="closed",
    merged=True,
    draft=False,
    head="h2",
    head_ref="feature",
    head_repository="acme/infra",
    base="t1",
    base_ref="main",
    merge_commit="m",
    created_at="2026-01-05T09:10:00Z",
)


def at(minute: int) -> str:
    return f"2026-01-05T09:{minute:02}:00Z"


def move(actor: str, before: str, after: str, minute: int = 5) -> BranchMove:
    return BranchMove(actor, before, after, at(minute))


@dataclass
class ForgeWithReviews:
    """The part of a host that tells who did what."""

    words: ClassVar[ForgeWords] = GITHUB_WORDS
    repository: str = "acme/infra"
    moves: list[BranchMove] = field(default_factory=lambda: [move("ada", "", "h2")])
    commits: list[PullRequestCommit] = field(
        default_factory=lambda: [PullRequestCommit("h2", ("t1",), "ada")]
    )
    reviews_of_pull: list[Review] = field(default_factory=list)
    labels: list[LabelEvent] = field(default_factory=list)

    def permission(self, login: str) -> str:
        return "read" if login == "rita" else "write"

    def branch_moves(self, branch: str) -> list[BranchMove]:
        return self.moves if branch == "feature" else [move("olga", "t1", "direct")]

    def pull_request_commits(self, number: int) -> list[PullRequestCommit]:
        return self.commits

    def reviews(self, number: int) -> list[Review]:
        return self.reviews_of_pull

    def label_events(self, number: int) -> list[LabelEvent]:
        return self.labels


@dataclass
class FakeRepository:
    """A clone in which the commits in `clean` are clean merges of trunk."""

    clean: tuple[str, ...] = ()
    has_merge: bool = False

    def has_commit(self, commit: str) -> bool:
        return commit != "m" or self.has_merge

    def commit(self, commit: str) -> PullRequestCommit:
        assert commit == "m"
        return PullRequestCommit("m", (PULL.base, "h2"), "olga")

    def is_clean_merge(self, commit: str, trunk: str) -> bool:
        return commit in self.clean and trunk == PULL.base

    def is_ancestor(self, older: str, newer: str) -> bool:
        return older == newer


def reviewers(host: ForgeWithReviews, *clean: str) -> Reviewers:
    return Reviewers(cast(Forge, host), cast(Repository, FakeRepository(clean)))


def test_whoever_pushed_to_the_branch_is_an_author() -> None:
    host = ForgeWithReviews(moves=[move("ada", "", "h1"), move("Bert", "h1", "h2")])
    assert reviewers(host).authors(PULL) == {"ada", "bert"}
    assert not reviewers(host).may_approve("bert", PULL)
    assert reviewers(host).may_approve("olga", PULL)


def test_a_force_push_hides_nobody() -> None:
    host = ForgeWithReviews(moves=[move("ada", "", "h0"), move("bert", "h0", "h1"), move("ada", "h1", "h2")])
    assert reviewers(host).authors(PULL) == {"ada", "bert"}


def test_an_older_branch_of_the_same_name_is_another_one() -> None:
    host = ForgeWithReviews(
        moves=[move("bert", "", "old", 1), move("bert", "old", "", 2), move("ada", "", "h2", 3)]
    )
    assert reviewers(host).authors(PULL) == {"ada"}
    # What was pushed after the pull request was opened counts, also past a branch that was made again.
    again = [move("bert", "h1", "h2", 11), move("olga", "h2", "", 12), move("olga", "", "h2", 13)]
    host = ForgeWithReviews(moves=[move("ada", "", "h1", 3), *again])
    assert reviewers(host).authors(PULL) == {"ada", "bert", "olga"}


def test_a_declared_author_of_a_commit_is_an_author() -> None:
    host = ForgeWithReviews(
        commits=[PullRequestCommit("h1", ("t1",), "bert"), PullRequestCommit("h2", ("h1",), "")]
    )
    assert reviewers(host).authors(PULL) == {"ada", "bert"}


def test_web_flow_and_a_clean_merge_of_trunk_make_nobody_an_author() -> None:
    host = ForgeWithReviews(
        moves=[move("ada", "", "h1"), move("bert", "h1", "h2")],
        commits=[PullRequestCommit("h1", ("t1",), "web-flow"), PullRequestCommit("h2", ("h1", "t2"), "bert")],
    )
    assert reviewers(host, "h2").authors(PULL) == {"ada"}
    # A merge that holds something else as well is its pusher's own work.
    assert reviewers(host).authors(PULL) == {"ada", "bert"}


def test_a_merge_of_something_else_has_its_pusher_for_an_author() -> None:
    """Whatever its commit declares."""
    host = ForgeWithReviews(
        moves=[move("ada", "", "h1"), move("bert", "h1", "h2")],
        commits=[PullRequestCommit("h1", ("t1",), "ada"), PullRequestCommit("h2", ("h1", "x"), "")],
    )
    assert reviewers(host).authors(PULL) == {"ada", "bert"}


def test_a_merge_of_trunk_is_one_of_trunk_before_the_pull_request_itself() -> None:
    """What it brought to trunk is no trunk that it could have merged."""
    host = ForgeWithReviews(
        moves=[move("ada", "", "h1"), move("bert", "h1", "h2")],
        commits=[PullRequestCommit("h1", ("t1",), "ada"), PullRequestCommit("h2", ("h1", "t2"), "bert")],
    )
    repository = cast(Repository, FakeRepository(("h2",), has_merge=True))
    merged = replace(PULL, base="later")
    assert Reviewers(cast(Forge, host), repository).authors(merged) == {"ada"}


def test_a_push_of_a_merge_and_more_is_the_pushers_own_work() -> None:
    host = ForgeWithReviews(
        moves=[move("ada", "", "h0"), move("bert", "h0", "h2")],
        commits=[
            PullRequestCommit("h0", ("t1",), "ada"),
            PullRequestCommit("h1", ("h0",), "ada"),
            PullRequestCommit("h2", ("h1", "t2"), ""),
        ],
    )
    assert reviewers(host, "h2").authors(PULL) == {"ada", "bert"}


@pytest.mark.parametrize(
    ("host", "pull", "words"),
    [
        (ForgeWithReviews(moves=[move("ada", "", "h1")]), PULL, "does not report who pushed h2"),
        (ForgeWithReviews(), replace(PULL, head_repository="eve/infra"), "another repository"),
        (ForgeWithReviews(commits=[PullRequestCommit("c", ("t1",), "")] * 250), PULL, "250 commits or more"),
    ],
)
def test_where_the_authors_are_unknown_nobody_approves(
    host: ForgeWithReviews, pull: PullRequest, words: str
) -> None:
    with pytest.raises(AuthorsUnknownError, match=words):
        reviewers(host).may_approve("bert", pull)


@pytest.mark.parametrize("login", ["ada", "ADA", "rita", "", "helper[bot]", "carla"])
def test_authors_readers_bots_and_authors_of_what_it_carries_do_not_approve(login: str) -> None:
    assert not reviewers(ForgeWithReviews()).may_approve(login, PULL, frozenset({"carla"}))


def test_only_the_last_review_of_the_head_counts() -> None:
    reviews = [
        Review("bert", "APPROVED", "h2", at(20)),
        Review("bert", "CHANGES_REQUESTED", "h2", at(21)),
        Review("olga", "APPROVED", "h1", at(22)),
        Review("carla", "APPROVED", "h2", at(23)),
        Review("carla", "COMMENTED", "h2", at(24)),
    ]
    assert [
        approval.author for approval in reviewers(ForgeWithReviews(reviews_of_pull=reviews)).approvals(PULL)
    ] == ["carla"]


def test_a_label_counts_by_who_set_it_last() -> None:
    def set_by(*events: tuple[str, bool]) -> Any:
        labels = [LabelEvent("go", actor, at(20 + n), added) for n, (actor, added) in enumerate(events)]
        return reviewers(ForgeWithReviews(labels=labels)).labelled_at(PULL, "go")

    assert set_by(("bert", True)) is not None
    assert set_by(("ada", True)) is None
    assert set_by(("bert", True), ("bert", False)) is None
    assert set_by(("bert", True), ("bert", False), ("ada", True)) is None


def test_a_direct_push_has_its_pusher_for_an_author() -> None:
    assert reviewers(ForgeWithReviews()).author_of_push("main", "direct") == {"olga"}


@pytest.mark.parametrize(
    ("moves", "repository"),
    [
        ([], FakeRepository()),
        ([move("olga", "t1", "other")], FakeRepository()),
        ([move("web-flow", "t1", "direct")], FakeRepository()),
        ([move("", "t1", "direct")], FakeRepository()),
        ([move("olga", "t1", "direct")], None),
    ],
    ids=["no activity", "another push", "nobody's name", "no name", "no clone"],
)
def test_a_direct_push_of_which_the_host_knows_no_pusher_has_unknown_authors(
    moves: list[BranchMove], repository: FakeRepository | None
) -> None:
    known = Reviewers(cast(Forge, ForgeWithReviews(moves=moves)), cast(Repository, repository))
    with pytest.raises(AuthorsUnknownError, match="does not report who pushed direct to feature"):
        known.author_of_push("feature", "direct")
