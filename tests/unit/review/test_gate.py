"""Whether a gate can ask somebody, what it was asked for, and whose answer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from orchestrator.errors import AuthorsUnknownError, BlockedError, HostError, UsageError
from orchestrator.hosts.model import Permission, PullRequest, RunReview
from orchestrator.hosts.port import Host
from orchestrator.hosts.settings import HostEnvironment
from orchestrator.plan.digest import encode
from orchestrator.project import load
from orchestrator.review.gate import (
    Gate,
    Ticket,
    approvals_of,
    objection_to,
    read_shown,
    require_answer,
    superseded_by_trunk,
    write_ticket,
)
from orchestrator.review.pending import PendingChange, PendingChanges
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory
from tests.unit.plan.test_comparing import create, delete, plan

SHA = "a" * 64
ATTEMPT = "8813-1"


@dataclass
class FakeHost:
    """What a gate asks of a host."""

    environments: dict[str, HostEnvironment | HostError]
    reviews: Sequence[RunReview] = ()
    asked: int = 0
    repository: str = "acme/infra"

    def environment(self, name: str) -> HostEnvironment:
        self.asked += 1
        found = self.environments.get(name) or HostError("Not there.", status=404, advice="")
        if isinstance(found, HostError):
            raise found
        return found

    def run_reviews(self, run: int) -> list[RunReview]:
        assert run == 8813
        return list(self.reviews)

    def permission(self, login: str) -> Permission:
        return "read" if login == "rita" else "write"


def host(found: HostEnvironment | HostError | None = None, *reviews: RunReview) -> Host:
    return cast(Host, FakeHost({"prod-approval": found} if found else {}, reviews))


def approved(user: str, environment: str = "prod-approval", state: str = "approved") -> RunReview:
    return RunReview(user, state, (environment,))  # type: ignore[arg-type]


# Whether there is one


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (HostEnvironment("prod-approval", reviewers=1), ""),
        (HostEnvironment("prod-approval"), "the environment prod-approval has no required reviewers"),
        (None, "there is no environment prod-approval in acme/infra"),
        (
            HostError("No.", status=403, advice=""),
            "the token may not read the environment prod-approval (it needs `actions: read`)",
        ),
    ],
    ids=["reviewers", "no reviewers", "404", "403"],
)
def test_a_gate_without_reviewers_holds_nothing_back(
    found: HostEnvironment | HostError | None, expected: str
) -> None:
    assert Gate(host(found), "prod").problem == expected


def test_a_gate_is_asked_once_and_without_an_answer_nothing_is_decided() -> None:
    fake = FakeHost({"prod-approval": HostEnvironment("prod-approval", reviewers=2)})
    gate = Gate(cast(Host, fake), "prod")
    assert (gate.problem, gate.problem, fake.asked) == ("", "", 1)
    with pytest.raises(HostError):
        _ = Gate(host(HostError("Trouble.", status=502, advice="")), "prod").problem
    assert "nobody can be asked" in Gate(None, "prod").problem


# What it was asked for


@pytest.mark.parametrize(
    "ticket",
    [
        Ticket("R-1", SHA, ATTEMPT),
        Ticket("R-1", SHA),
        Ticket("R-1", SHA, "8813-2", ("bert", "bert", "olga")),
    ],
)
def test_a_ticket_is_one_line(ticket: Ticket) -> None:
    assert Ticket.parse(f" {ticket}\n") == ticket


@pytest.mark.parametrize("text", ["", "true", f"infra/1 R-1 {SHA}", f"infra-gate/1 R-1 {SHA} x -"])
def test_what_is_no_ticket_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="seal"):
        Ticket.parse(text)


# Who answered


def answer(ticket: Ticket, *reviews: RunReview, attempt: str = ATTEMPT, objections: str = "") -> str:
    def objection(login: str) -> str:
        return "is an author of #7" if login in objections.split() else ""

    return require_answer(host(None, *reviews), "prod", ticket, attempt, objection)


ASKED = Ticket("R-1", SHA, ATTEMPT)
AGAIN = Ticket("R-1", SHA, "8813-2", ("bert",))


@pytest.mark.parametrize(
    ("ticket", "reviews", "attempt"),
    [
        (ASKED, [approved("bert")], ATTEMPT),
        (ASKED, [approved("rita", "dev-approval"), approved("bert")], ATTEMPT),
        (AGAIN, [approved("bert"), approved("bert")], "8813-2"),
    ],
    ids=["approved", "among others", "again in another attempt"],
)
def test_an_approval_of_this_attempt_counts(ticket: Ticket, reviews: list[RunReview], attempt: str) -> None:
    assert answer(ticket, *reviews, attempt=attempt) == "bert"


@pytest.mark.parametrize(
    ("ticket", "reviews", "attempt", "expected"),
    [
        (ASKED, [], ATTEMPT, "Nobody approved prod-approval in this attempt"),
        (ASKED, [approved("bert", state="rejected")], ATTEMPT, "Nobody approved"),
        (ASKED, [approved("bert", "dev-approval")], ATTEMPT, "Nobody approved"),
        (AGAIN, [approved("bert")], "8813-2", "Nobody approved"),
        (ASKED, [approved("bert")], "8813-2", "asked in attempt 1 of run 8813, and this is attempt 2 of run"),
        (ASKED, [approved("bert")], "9000-1", "attempt 1 of run 9000"),
        (ASKED, [approved("bert")], "", "this is no workflow run"),
        (Ticket("R-1", SHA), [approved("bert")], "", "asked in no workflow run"),
    ],
    ids=[
        "bypassed",
        "rejected",
        "another environment",
        "an earlier attempt",
        "another attempt",
        "another run",
        "no run",
        "asked nowhere",
    ],
)
def test_anything_else_counts_as_no(
    ticket: Ticket, reviews: list[RunReview], attempt: str, expected: str
) -> None:
    with pytest.raises(BlockedError, match=expected) as error:
        answer(ticket, *reviews, attempt=attempt)
    assert "/infra apply prod" in error.value.advice


def test_one_approval_that_counts_is_enough() -> None:
    reviews = [approved("ada"), approved("olga")]
    assert answer(ASKED, *reviews, objections="ada") == "olga"
    with pytest.raises(BlockedError, match="ada is an author of #7; olga is an author of #7"):
        answer(ASKED, *reviews, objections="ada olga")


def test_who_approved_is_told_once_for_each_time() -> None:
    found = host(None, approved("olga"), approved("bert"), approved("olga"), approved("ada", "dev-approval"))
    assert approvals_of(found, ATTEMPT, "prod") == ("bert", "olga", "olga")


def test_nobody_approves_a_push_of_which_the_host_knows_no_pusher() -> None:
    def unknown(commit: str) -> frozenset[str]:
        raise AuthorsUnknownError("GitHub does not tell.", advice="")

    pending = [PendingChanges((PendingChange("d" * 40, "code"),))]
    why = objection_to(host(), "bert", pending, lambda login, pull_request: True, unknown)
    assert why == "may have pushed dddddddddd to trunk, since GitHub does not tell who did"


def test_authors_and_readers_approve_nothing() -> None:
    pull = PullRequest(7, "A change", "ada", "closed", True, False, "h", "feature", "acme/infra", "b", "main")
    changes = (PendingChange("c", "code", (pull,)), PendingChange("direct", "code"))
    pending = [PendingChanges(), PendingChanges(changes)]

    def may_decide(login: str, pull_request: PullRequest) -> bool:
        return login != pull_request.author

    def objection(login: str) -> str:
        return objection_to(
            host(), login, pending, may_decide, {"c": {"bert"}, "direct": {"mallory"}}.__getitem__
        )

    assert objection("bert") == "", "what came by a pull request is its authors'"
    assert objection("Mallory") == "pushed direct to trunk"
    assert objection("deployer[bot]") == "is no person"
    assert objection("ada") == "is an author of #7"
    assert objection("rita") == "has no write permission"


# What it showed


CODE = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/prod/a/main.tf": CODE,
    "infra/envs/prod/b/main.tf": CODE,
}


@pytest.mark.parametrize("how", ["as it was", "another content", "one more", "one less"])
def test_only_the_plans_that_the_ticket_was_made_over_are_read(make_repo: MakeRepo, how: str) -> None:
    bucket = MemoryStorage()
    session = session_in_memory(load(make_repo(FILES).root), bucket)
    shown = {f"prod/{name}": plan(create("x.y"), stack=f"prod/{name}") for name in ("a", "b")}
    ticket = write_ticket(session, "prod", shown, None)
    folder = f"prod/plans/trunk/{session.context.info.commit}"
    if how == "as it was":
        assert read_shown(session, "prod", ticket) == shown
        return
    if how == "one less":
        bucket.delete(f"{folder}/b/R1.json")
    else:
        name = "a" if how == "another content" else "c"
        bucket.write(f"{folder}/{name}/R1.json", encode(plan(delete("x.y"), stack=f"prod/{name}")))
    with pytest.raises(BlockedError, match="not those that went through the gate"):
        read_shown(session, "prod", ticket)


def test_what_trunk_changes_meanwhile_is_superseded_with_what_stands_on_it(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {**FILES, "infra.yaml": FILES["infra.yaml"] + "stacks: {prod/b: {depends_on: [prod/a]}}\n"}
    )
    repo.branch("job")
    context = session_in_memory(load(repo.root), MemoryStorage()).context
    assert superseded_by_trunk(context, ["prod/a", "prod/b"]) == {}
    repo.switch("main")
    tip = repo.commit({"infra/envs/prod/a/main.tf": CODE + "# newer\n"})[:10]
    assert superseded_by_trunk(context, ["prod/a", "prod/b"]) == {
        "prod/a": f"superseded by {tip}, which changes it",
        "prod/b": f"superseded by {tip}, which changes prod/a",
    }
    assert superseded_by_trunk(context, ["prod/b"]) == {}, "prod/a is not among what is asked about"
