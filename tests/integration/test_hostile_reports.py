"""The job that comments believes nothing of what the jobs that ran a pull request's code hand to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.ci.event import event_of
from orchestrator.ci.landing.landed import Landed
from orchestrator.ci.landing.results import Facts, landing_of, write_landing
from orchestrator.ci.reports import PlanReport, read_reports, write_report
from orchestrator.ci.review.believing import believed
from orchestrator.ci.review.scope import scope_of
from orchestrator.project import load
from orchestrator.report.model import NO_COUNTS, StackReport
from orchestrator.report.review import Review, StackReview
from orchestrator.state.approved import seal
from tests.support.ci import Ci, running
from tests.support.remembered import UPSTREAM

NET = {name: f"infra/envs/{name}/net/main.tf" for name in ("dev", "prod")}
TWO = UPSTREAM.replace("one", "two")
HASH = {"dev/net": "d" * 64, "prod/net": "f" * 64, "dev/app": "a" * 64}
RUN = "4242-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ci]:
    with running(tmp_path_factory.mktemp("hostile")) as found:
        yield found


class Forger:
    """Artifacts of one run about a new pull request: honest ones, then what an attacker makes of one."""

    def __init__(self, ci: Ci, folder: Path, name: str) -> None:
        self.ci, self.folder = ci, folder / "reports"
        branch = f"b-{abs(hash(name))}"
        self.number = ci.change(dict.fromkeys(NET.values(), TWO), branch, f"Change for {name}")
        self.job = ci.job(self.number)
        self.head, self.commit = ci.github.head(self.number), self.job.env["GITHUB_SHA"]
        for environment in NET:
            self.write(environment, self.report(environment))

    def stack(self, id_: str, **more: Any) -> StackReview:
        environment, _, name = id_.partition("/")
        report = StackReport(
            id_, environment, "changed", counts={**NO_COUNTS, "update": 1}, diff=f"~ the plan of {id_}"
        )
        made = f"{environment}/plans/{self.number}/{self.head}/{name}/{RUN}.json"
        return replace(StackReview(report, object=made, sha256=HASH[id_]), **more)

    def report(self, environment: str, *stacks: StackReview, **more: Any) -> PlanReport:
        review = Review(
            "acme/infra",
            self.number,
            "",
            "",
            self.head,
            self.commit,
            "",
            "main",
            (),
            stacks or (self.stack(f"{environment}/net"),),
            run=RUN,
        )
        return replace(PlanReport((environment,), "1/1", "", (f"{environment}/net",), review), **more)

    def write(self, environment: str, report: PlanReport, artifact: str = "") -> Path:
        return write_report(self.folder / (artifact or f"infra-plan-{environment}-0"), report)

    def rewrite(self, change: Callable[[dict[str, Any]], None], environment: str = "dev") -> None:
        path = self.write(environment, self.report(environment))
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    def comment(self, code: int = 0) -> str:
        self.told = self.job("ci", "comment", str(self.folder), "--json", code=code).document
        return self.ci.body(self.number)

    def seals(self) -> dict[str, str]:
        checks = self.ci.github.checks(self.head)
        return {one.name: one.external_id for one in checks}


@pytest.fixture
def forger(server: Ci, tmp_path: Path, request: pytest.FixtureRequest) -> Forger:
    return Forger(server, tmp_path, request.node.name)


def sealed(*stacks: str) -> str:
    return seal(RUN, {one: HASH[one] for one in stacks})


DEV, PROD = "infra/dev", "infra/prod"


def test_honest_reports_are_sealed(forger: Forger) -> None:
    body = forger.comment()
    assert "the plan of dev/net" in body
    # dev/app reads what dev/net changes and is planned only when that plan says so.
    assert forger.seals() == {DEV: sealed("dev/net"), PROD: sealed("prod/net")}
    assert forger.ci.conclusions(forger.number) == {DEV: "success", PROD: "success"}


def is_left_out(forger: Forger, environment: str = DEV) -> str:
    """The other environment stands, and this one's check is red and stands for nothing."""
    body = forger.comment()
    other = PROD if environment == DEV else DEV
    assert forger.ci.conclusions(forger.number) == {environment: "failure", other: "success"}
    assert forger.seals() == {environment: "", other: sealed(f"{other.removeprefix('infra/')}/net")}
    assert "left out" in body
    return body


def test_a_job_speaks_for_its_own_environment_only(forger: Forger) -> None:
    lie = forger.stack("prod/net", sha256="0" * 64)
    honest = forger.folder / "infra-plan-dev-0" / "plan-dev-1.json"
    honest.unlink()
    both = forger.report("dev", forger.stack("dev/net"), lie, environments=("dev", "prod"))
    forger.write("dev", both)
    assert "another environment" in is_left_out(forger)


def test_nor_under_a_name_of_its_own(forger: Forger) -> None:
    lie = replace(
        forger.report("prod"), review=forger.report("prod", forger.stack("prod/net", sha256="0" * 64)).review
    )
    forger.write("prod", lie, "infra-plan-dev-1")
    forger.write("prod", lie, "infra-aaa")
    body = forger.comment()
    assert "left out" in body
    assert forger.seals()[PROD] == sealed("prod/net")


def test_a_stack_is_of_the_environment_that_its_name_says(forger: Forger) -> None:
    stray = forger.stack("dev/net")
    stray = replace(stray, report=replace(stray.report, environment="prod"))
    forger.write("dev", forger.report("dev", stray))
    is_left_out(forger)


def test_two_that_say_different_things_are_both_left_out(forger: Forger) -> None:
    forger.write("dev", forger.report("dev", forger.stack("dev/net", sha256="0" * 64)), "infra-plan-dev-1")
    is_left_out(forger)


# What an attacker may write into a report: (a change of the document that was read from it).
FORGED: tuple[Callable[[Any], None], ...] = (
    lambda one: one["review"].update(head="e" * 40),
    lambda one: one["review"].update(commit="e" * 40),
    lambda one: one["review"].update(pull_request=10_000),
    lambda one: one["review"].update(run="9999-1"),
    lambda one: one["review"].update(run="4242-2"),
    lambda one: one["review"].update(run=""),
    lambda one: one["review"]["stacks"][0].update(sha256="not a hash"),
    lambda one: one["review"]["stacks"][0].update(object="dev/plans/1/h/net/1-1.json"),
    lambda one: one["review"]["stacks"][0]["report"].update(id="dev/ghost"),
    lambda one: one["review"]["stacks"][0]["report"].update(id="dev/net\ndev/app 0"),
    lambda one: one["review"]["stacks"][0]["report"].update(counts={}),
    lambda one: one["review"]["stacks"][0]["report"].update(counts={"create": -1}),
    lambda one: one["review"]["stacks"][0]["report"].update(seconds=float("nan")),
    lambda one: one["review"]["stacks"][0]["report"].update(changes=[{}]),
    lambda one: one["review"]["stacks"][0]["report"].update(changes=[{"address": 7, "actions": [[]]}]),
    lambda one: one["review"]["stacks"][0]["report"].update(diagnostics=[{"line": "7"}]),
    lambda one: one["review"]["stacks"][0].update(drift=[{"address": "a", "actions": None}]),
    lambda one: one["review"]["stacks"][0].update(findings=[{"severity": "no"}]),
    lambda one: one.update(version=7),
    lambda one: one.update(kind="apply"),
    lambda one: one.clear(),
)  # fmt: skip
BROKEN = ("", "{", "[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "\x00", "\xff")


def test_what_does_not_fit_is_left_out_whole(forger: Forger) -> None:
    for change in FORGED:
        forger.rewrite(change)
        is_left_out(forger)


def test_what_is_no_json_is_left_out(forger: Forger) -> None:
    for text in BROKEN:
        (forger.folder / "infra-plan-dev-0" / "plan-dev-1.json").write_bytes(text.encode("latin-1"))
        is_left_out(forger)


def test_values_that_are_nested_too_deep_are_left_out(forger: Forger) -> None:
    path = forger.folder / "infra-plan-dev-0" / "plan-dev-1.json"
    attribute = {"path": "x", "before": "DEEP", "after": None, "sensitive": False, "unknown": False}
    changed = {"address": "a.b", "previous_address": None, "actions": ["update"], "attributes": [attribute]}
    forger.rewrite(lambda one: one["review"]["stacks"][0]["report"].update(changes=[changed]))
    path.write_text(path.read_text().replace('"DEEP"', "[" * 600 + "]" * 600))
    is_left_out(forger)


def test_a_file_that_is_too_large_is_not_read(forger: Forger) -> None:
    with (forger.folder / "infra-plan-dev-0" / "plan-dev-1.json").open("ab") as file:
        file.truncate(1 << 40)
    is_left_out(forger)


def test_a_report_cannot_say_that_only_one_stack_was_asked_for(forger: Forger) -> None:
    """Else no check would be posted, and what the head had before would stand."""
    forger.rewrite(lambda one: one.update(only="dev/net"))
    is_left_out(forger)


def test_what_is_expected_is_not_a_job_s_to_say(forger: Forger) -> None:
    forger.rewrite(lambda one: one.update(expected=["prod/other", "dev/net", "nothing"]))
    forger.comment()
    assert forger.ci.conclusions(forger.number)[PROD] == "success"


def test_a_plan_job_cannot_tell_of_an_apply(forger: Forger) -> None:
    """The job that comments may write statuses and comments everywhere: none for what was not applied."""
    facts = Facts("acme/infra", "main", forger.ci.github.trunk, RUN, "", ("dev", "prod"))
    forged = replace(
        landing_of(facts, Landed("prod", owners={"prod/net": (forger.number,)})), state="applied"
    )
    write_landing(forger.folder / "infra-plan-dev-0", forged)
    forger.comment()
    assert forger.seals() == {DEV: sealed("dev/net"), PROD: sealed("prod/net")}
    assert forger.ci.github.statuses(forger.ci.github.trunk) == {}
    assert forger.ci.github.deployments() == []


def test_a_landing_is_of_its_own_job_and_commit(server: Ci, tmp_path: Path) -> None:
    trunk, event = server.github.trunk, str(server.github.event_file("push"))
    env = server.github.environ(
        server.github.token(pull_requests="write", checks="write", statuses="write", deployments="write"),
        "push",
        GITHUB_EVENT_PATH=event,
    )
    from tests.support.cli import Infra

    infra = Infra(server.checkout(trunk), env)
    facts = Facts("acme/infra", "main", trunk, RUN, "", ("dev", "prod"))
    states = {}
    for name, artifact, commit in (
        ("dev", "infra-apply-dev", trunk),
        ("prod", "infra-apply-dev", trunk),
        ("prod", "infra-apply-prod", "e" * 40),
        ("nowhere", "infra-apply-nowhere", trunk),
    ):
        folder = tmp_path / artifact / commit[:4] / name
        made = replace(landing_of(replace(facts, commit=commit), Landed(name)), state="applied")
        write_landing(folder, made)
        code = 0 if (name, artifact, commit) == ("dev", "infra-apply-dev", trunk) else 1
        told = infra("ci", "comment", str(tmp_path), "--json", code=code).document
        states = told["environments"]
        assert states == {"dev": "applied"}, (name, artifact)
    assert set(server.github.statuses(trunk)) == {"infra/apply/dev"}
    assert server.github.statuses("e" * 40) == {}


def test_a_matrix_of_another_job_is_not_read(forger: Forger) -> None:
    listed: Mapping[str, Any] = {"include": [{"environment": "prod", "stacks": "prod/ghost"}]}
    (forger.folder / "infra-plan-dev-0" / "matrix.json").write_text(json.dumps(listed))
    forger.comment()
    assert forger.ci.conclusions(forger.number) == {DEV: "success", PROD: "success"}


def test_links_lead_nowhere(forger: Forger, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_report(outside, forger.report("prod", forger.stack("prod/net", sha256="0" * 64)))
    (forger.folder / "infra-plan-prod-0" / "more").symlink_to(outside)
    forger.comment()
    assert forger.seals()[PROD] == sealed("prod/net")
    assert asdict(forger.report("dev"))["shard"] == "1/1"


def test_remarks_stand_on_lines_that_there_can_be(forger: Forger) -> None:
    def said(file: str, line: int) -> dict[str, Any]:
        return {
            "severity": "error",
            "summary": "x\x1b",
            "detail": "",
            "address": None,
            "file": file,
            "line": line,
        }

    told = [said("a.tf", -3), said("b.tf", 1 << 60), said("../../etc/passwd", 3), said("/etc/passwd", 3)]
    forger.rewrite(lambda one: one["review"]["stacks"][0]["report"].update(diagnostics=told))
    forger.comment()
    check = forger.ci.github.checks(forger.head, DEV)[-1]
    places = [(one["path"], one["start_line"], one["message"]) for one in check.annotations]
    assert places == [("a.tf", 1, "x\\u001b"), ("b.tf", 1, "x\\u001b")]


def test_no_job_says_that_another_one_s_plan_is_as_it_was(forger: Forger) -> None:
    """The hashes of what plans do tell whether an approval still holds."""
    lie = {"dev/net": "a" * 64, "prod/net": "b" * 64}
    forger.write("dev", forger.report("dev", plans=lie, expected=("dev/net", "prod/net")))
    event = event_of(forger.job.env)
    found = believed(scope_of(load(forger.job.root), event), event, read_reports([forger.folder]))
    assert [(dict(one.plans), one.expected) for one in found.reports] == [
        ({"dev/net": "a" * 64}, ("dev/net",)),
        ({}, ("prod/net",)),
    ]
