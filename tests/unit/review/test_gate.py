"""Whether a gate can ask somebody, what it was asked for, and whose answer counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import pytest

from orchestrator.errors import AuthorsUnknownError, BlockedError, ForgeError, UsageError
from orchestrator.forge.github.words import GITHUB_WORDS
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import Permission, PullRequest, RunReview
from orchestrator.forge.settings import ForgeEnvironment
from orchestrator.forge.words import ForgeWords
from orchestrator.plan.digest import encode
from orchestrator.repository.loading import load
from orchestrator.review.gate import (
    Gate,
    GateTicket,
    explain_rejection,
    find_superseded,
    list_gate_approvals,
    read_gated_digests,
    require_approval,
    write_ticket,
)
from orchestrator.review.pending_changes import PendingChange, PendingChanges
from tests.conftest import MakeRepo
from tests.support.memory_storage import MemoryStorage
from tests.support.sessions import session_in_memory
from tests.unit.plan.test_digest_comparison import create, delete, plan

SHA = "a" * 64
ATTEMPT = "8813-1"


@dataclass
class ForgeWithEnvironments:
    """What a gate asks of a host."""

    words: ClassVar[ForgeWords] = GITHUB_WORDS
    environments: dict[str, ForgeEnvironment | ForgeError]
    reviews: Sequence[RunReview] = ()
    questions: int = 0
    repository: str = "acme/infra"

    def environment(self, name: str) -> ForgeEnvironment:
        self.questions += 1
        environment_on_forge = self.environments.get(name) or ForgeError("Not there.", status=404, advice="")
        if isinstance(environment_on_forge, ForgeError):
            raise environment_on_forge
        return environment_on_forge

    def run_reviews(self, run: int) -> list[RunReview]:
        assert run == 8813
        return list(self.reviews)

    def permission(self, login: str) -> Permission:
        return "read" if login == "rita" else "write"


def host(environment_on_forge: ForgeEnvironment | ForgeError | None = None, *reviews: RunReview) -> Forge:
    return cast(
        Forge,
        ForgeWithEnvironments(
            {"prod-approval": environment_on_forge} if environment_on_forge else {}, reviews
        ),
    )


def approved(user: str, environment: str = "prod-approval", state: str = "approved") -> RunReview:
    return RunReview(user, state, (environment,))  # type: ignore[arg-type]


# Whether there is one


@pytest.mark.parametrize(
    ("environment_on_forge", "expected"),
    [
        (ForgeEnvironment("prod-approval", reviewers=1), ""),
        (ForgeEnvironment("prod-approval"), "the environment prod-approval has no required reviewers"),
        (None, "there is no environment prod-approval in acme/infra"),
        (
            ForgeError("No.", status=403, advice=""),
            "the token may not read the environment prod-approval (it needs `actions: read`)",
        ),
    ],
    ids=["reviewers", "no reviewers", "404", "403"],
)
def test_a_gate_without_reviewers_holds_nothing_back(
    environment_on_forge: ForgeEnvironment | ForgeError | None, expected: str
) -> None:
    assert Gate(host(environment_on_forge), "prod").problem == expected


def test_a_gate_is_queried_once_and_without_an_answer_nothing_is_decided() -> None:
    fake = ForgeWithEnvironments({"prod-approval": ForgeEnvironment("prod-approval", reviewers=2)})
    gate = Gate(cast(Forge, fake), "prod")
    assert (gate.problem, gate.problem, fake.questions) == ("", "", 1)
    with pytest.raises(ForgeError):
        _ = Gate(host(ForgeError("Trouble.", status=502, advice="")), "prod").problem
    assert "nobody can be asked" in Gate(None, "prod").problem


# What it was asked for


@pytest.mark.parametrize(
    "ticket",
    [
        GateTicket("R-1", SHA, ATTEMPT),
        GateTicket("R-1", SHA),
        GateTicket("R-1", SHA, "8813-2", ("bert", "bert", "olga")),
    ],
)
def test_a_ticket_is_one_line(ticket: GateTicket) -> None:
    assert GateTicket.parse(f" {ticket}\n") == ticket


@pytest.mark.parametrize("text", ["", "true", f"infra/1 R-1 {SHA}", f"infra-gate/1 R-1 {SHA} x -"])
def test_what_is_no_ticket_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="ticket"):
        GateTicket.parse(text)


# Who answered


def answer(ticket: GateTicket, *reviews: RunReview, attempt: str = ATTEMPT, authors: str = "") -> str:
    def reason_against(login: str) -> str:
        return "is an author of #7" if login in authors.split() else ""

    return require_approval(host(None, *reviews), "prod", ticket, attempt, reason_against)


ASKED = GateTicket("R-1", SHA, ATTEMPT)
AGAIN = GateTicket("R-1", SHA, "8813-2", ("bert",))


@pytest.mark.parametrize(
    ("ticket", "reviews", "attempt"),
    [
        (ASKED, [approved("bert")], ATTEMPT),
        (ASKED, [approved("rita", "dev-approval"), approved("bert")], ATTEMPT),
        (AGAIN, [approved("bert"), approved("bert")], "8813-2"),
    ],
    ids=["approved", "among others", "again in another attempt"],
)
def test_an_approval_of_this_attempt_counts(
    ticket: GateTicket, reviews: list[RunReview], attempt: str
) -> None:
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
        (GateTicket("R-1", SHA), [approved("bert")], "", "asked in no workflow run"),
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
    ticket: GateTicket, reviews: list[RunReview], attempt: str, expected: str
) -> None:
    with pytest.raises(BlockedError, match=expected) as error:
        answer(ticket, *reviews, attempt=attempt)
    assert "/infra apply prod" in error.value.advice


def test_one_approval_that_counts_is_enough() -> None:
    reviews = [approved("ada"), approved("olga")]
    assert answer(ASKED, *reviews, authors="ada") == "olga"
    with pytest.raises(BlockedError, match="ada is an author of #7; olga is an author of #7"):
        answer(ASKED, *reviews, authors="ada olga")


def test_who_approved_is_reported_once_for_each_time() -> None:
    forge = host(None, approved("olga"), approved("bert"), approved("olga"), approved("ada", "dev-approval"))
    assert list_gate_approvals(forge, ATTEMPT, "prod") == ("bert", "olga", "olga")


def test_nobody_approves_a_push_of_which_the_host_knows_no_pusher() -> None:
    def unknown(commit: str) -> frozenset[str]:
        raise AuthorsUnknownError("GitHub does not tell.", advice="")

    pending = [PendingChanges((PendingChange("d" * 40, "code"),))]
    why = explain_rejection(host(), "bert", pending, lambda login, pull_request: True, unknown)
    assert why == "may have pushed dddddddddd to trunk, since GitHub does not report it"


def test_authors_and_readers_approve_nothing() -> None:
    pull = PullRequest(7, "A change", "ada", "closed", True, False, "h", "feature", "acme/infra", "b", "main")
    changes = (PendingChange("c", "code", (pull,)), PendingChange("direct", "code"))
    pending = [PendingChanges(), PendingChanges(changes)]

    def may_decide(login: str, pull_request: PullRequest) -> bool:
        return login != pull_request.author

    def reason_against(login: str) -> str:
        return explain_rejection(
            host(), login, pending, may_decide, {"c": {"bert"}, "direct": {"mallory"}}.__getitem__
        )

    assert reason_against("bert") == "", "what came by a pull request is its authors'"
    assert reason_against("Mallory") == "pushed direct to trunk"
    assert reason_against("deployer[bot]") == "is no person"
    assert reason_against("ada") == "is an author of #7"
    assert reason_against("rita") == "has no write permission"


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
    digests = {f"prod/{name}": plan(create("x.y"), stack=f"prod/{name}") for name in ("a", "b")}
    ticket = write_ticket(session, "prod", digests, None)
    folder = f"prod/plans/trunk/{session.context.info.commit}"
    if how == "as it was":
        assert read_gated_digests(session, "prod", ticket) == digests
        return
    if how == "one less":
        bucket.delete(f"{folder}/b/R1.json")
    else:
        name = "a" if how == "another content" else "c"
        bucket.write(f"{folder}/{name}/R1.json", encode(plan(delete("x.y"), stack=f"prod/{name}")))
    with pytest.raises(BlockedError, match="not those that went through the gate"):
        read_gated_digests(session, "prod", ticket)


def test_what_trunk_changes_meanwhile_is_superseded_with_what_stands_on_it(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {**FILES, "infra.yaml": FILES["infra.yaml"] + "stacks: {prod/b: {depends_on: [prod/a]}}\n"}
    )
    repo.branch("job")
    context = session_in_memory(load(repo.root), MemoryStorage()).context
    assert find_superseded(context, ["prod/a", "prod/b"]) == {}
    repo.switch("main")
    tip = repo.commit({"infra/envs/prod/a/main.tf": CODE + "# newer\n"})[:10]
    repo.switch("job")
    context = session_in_memory(load(repo.root), MemoryStorage()).context
    assert find_superseded(context, ["prod/a", "prod/b"]) == {
        "prod/a": f"superseded by {tip}, which changes it",
        "prod/b": f"superseded by {tip}, which changes prod/a",
    }
    assert find_superseded(context, ["prod/b"]) == {}, "prod/a is not among what is asked about"
