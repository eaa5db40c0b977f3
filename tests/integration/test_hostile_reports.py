"""The job that comments believes nothing of what the jobs that ran a pull request's code hand to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.digests import SHOWN_HASH
from orchestrator.errors import StateError
from orchestrator.forge.github.event import read_event
from orchestrator.plan.digest import empty_plan_digest, encode, sha256
from orchestrator.report.model import NO_COUNTS, StackReport
from orchestrator.report.review import PlanReview, StackReview, hash_of_review
from orchestrator.repository.loading import load
from orchestrator.review.plan_reports import PlanReport, read_reports, write_report
from orchestrator.review.pull_request.report_validation import validate_reports
from orchestrator.review.pull_request.scope import read_scope
from orchestrator.review.rollout.environment_run import EnvironmentRun
from orchestrator.review.rollout.results import RolloutFacts, build_result, write_result
from orchestrator.sandbox.needs import RIGHTS, SHARED
from orchestrator.state.attestations import Attestations
from orchestrator.state.gcs import Bucket
from orchestrator.state.plan_objects import PlanObjects
from tests.support.ci import BUCKET, CiProject, account, running
from tests.support.recorded_stack import UPSTREAM

NET = {name: f"infra/envs/{name}/net/main.tf" for name in ("dev", "prod")}
TWO = UPSTREAM.replace("one", "two")
RUN = "4242-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CiProject]:
    with running(tmp_path_factory.mktemp("hostile")) as project:
        yield project


class Forger:
    """Artifacts of one run about a new pull request: honest ones, then what an attacker makes of one."""

    def __init__(self, ci: CiProject, folder: Path, name: str) -> None:
        self.ci, self.folder, self.attempt = ci, folder / "reports", 0
        branch = f"b-{abs(hash(name))}"
        self.number = ci.change(dict.fromkeys(NET.values(), TWO), branch, f"Change for {name}")
        self.job = ci.job(self.number)
        self.head, self.commit = ci.github.head(self.number), self.job.env["GITHUB_SHA"]
        self.scope = read_scope(load(self.job.root), read_event(self.job.env))
        self.planned: dict[str, str] = {}
        for environment in NET:
            self.planned[f"{environment}/net"] = self.plan(f"{environment}/net")
            self.write(environment, self.report(environment))

    def stack(self, id_: str, **more: Any) -> StackReview:
        environment, _, name = id_.partition("/")
        report = StackReport(
            id_, environment, "changed", counts={**NO_COUNTS, "update": 1}, diff=f"~ the plan of {id_}"
        )
        object_name = f"{environment}/plans/{self.number}/{self.head}/{name}/{RUN}.json"
        return replace(
            StackReview(report, object=object_name, sha256=self.planned.get(id_, "a" * 64)), **more
        )

    def plan(self, id_: str, run: str = RUN, **facts: str) -> str:
        """What the plan job of a stack's environment writes into the bucket; its hash."""
        environment, _, _ = id_.partition("/")
        facts_of_review = {SHOWN_HASH: hash_of_review(self.stack(id_))}
        data = encode(empty_plan_digest(id_, lineage="", lock_file="", facts=facts_of_review | facts))
        self.objects(environment).create(self.number, self.head, id_, run, data)
        return sha256(data)

    def objects(self, environment: str) -> PlanObjects:
        storage = Bucket(BUCKET, {"STORAGE_EMULATOR_HOST": self.ci.recorded.server.url})
        return PlanObjects(storage, environment, environment)

    def report(self, environment: str, *stacks: StackReview, **more: Any) -> PlanReport:
        review = PlanReview(
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

    def comment(self) -> str:
        """Show and attest them, in an attempt of its own: an attestation is written once."""
        self.attempt += 1
        run = f"4242-{self.attempt}"
        job = self.ci.job(self.number, GITHUB_RUN_ATTEMPT=str(self.attempt))
        self.told = job("ci", "comment", str(self.folder), "--json", code=0).document
        attestations = {
            f"infra/{environment}": Attestations.beside(self.objects(environment)).of_head(
                self.number, self.head
            )
            for environment in NET
        }
        self.attested = {
            name: next(attestation for attestation in every if attestation.run == run)
            for name, every in attestations.items()
        }
        return self.ci.body(self.number)

    def stacks(self) -> set[str]:
        """The stacks that the reports are accepted for, without a host: each has one job that tells of it."""
        event = read_event(self.job.env)
        return set(validate_reports(self.scope, event, read_reports([self.folder])).stacks)

    def plans(self) -> dict[str, dict[str, str]]:
        """What was attested last, by check."""
        return {name: dict(attestation.plans) for name, attestation in self.attested.items()}

    def own(self, *stacks: str) -> dict[str, str]:
        """The stacks with the hashes of what their plan jobs wrote."""
        return {id_: self.planned[id_] for id_ in stacks}


@pytest.fixture
def forger(server: CiProject, tmp_path: Path, request: pytest.FixtureRequest) -> Forger:
    return Forger(server, tmp_path, request.node.name)


DEV, PROD = "infra/dev", "infra/prod"


def test_honest_reports_are_attested(forger: Forger) -> None:
    body = forger.comment()
    assert "the plan of dev/net" in body
    # dev/app reads what dev/net changes and is planned only when that plan says so.
    assert forger.plans() == {DEV: forger.own("dev/net"), PROD: forger.own("prod/net")}
    assert forger.ci.conclusions(forger.number) == {DEV: "success", PROD: "success"}


def is_left_out(forger: Forger, environment: str = DEV) -> str:
    """The other environment stands, and this one's check is red and stands for nothing."""
    body = forger.comment()
    other = PROD if environment == DEV else DEV
    assert forger.ci.conclusions(forger.number) == {environment: "failure", other: "success"}
    assert forger.plans() == {environment: {}, other: forger.own(f"{other.removeprefix('infra/')}/net")}
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
    assert forger.plans()[PROD] == forger.own("prod/net")


def test_a_stack_is_of_the_environment_in_its_name(forger: Forger) -> None:
    stray = forger.stack("dev/net")
    stray = replace(stray, report=replace(stray.report, environment="prod"))
    forger.write("dev", forger.report("dev", stray))
    is_left_out(forger)


def test_of_two_different_reports_the_report_of_the_plan_job_counts(forger: Forger) -> None:
    """Any job of the run can write an artifact, and read the other ones."""
    for at, lie in enumerate(lies(forger), 1):
        forger.write("dev", forger.report("dev", lie), f"infra-plan-dev-{at}")
    body = forger.comment()
    assert "is not what the plan job wrote" in body
    assert "nothing to see" not in body
    assert "the plan of dev/net" in body
    assert forger.plans() == {DEV: forger.own("dev/net"), PROD: forger.own("prod/net")}


def lies(forger: Forger) -> list[StackReview]:
    """A plan shown as another one: with the hash of the true object, with another, with none at all."""
    stack = forger.stack("dev/net")
    stack_review = replace(stack, report=replace(stack.report, diff="nothing to see"))
    idle = StackReview(StackReport("dev/net", "dev", "unchanged", diff="nothing to see"))
    return [stack_review, replace(stack_review, sha256="0" * 64), idle]


@pytest.mark.parametrize("lie", [0, 1, 2])
def test_a_plan_that_is_shown_as_another_one_cannot_be_approved(forger: Forger, lie: int) -> None:
    forger.write("dev", forger.report("dev", lies(forger)[lie]))
    assert "is not what the plan job wrote" in is_left_out(forger)
    assert forger.attested[DEV].problem == "not planned: dev/net"


def test_a_plan_that_nobody_is_shown_cannot_be_approved(forger: Forger) -> None:
    """The plan job wrote it, and its report never arrived."""
    forger.plan("dev/app")
    body = forger.comment()
    assert "planned and not shown: dev/app" in body
    assert forger.plans() == {DEV: {}, PROD: forger.own("prod/net")}
    assert forger.ci.conclusions(forger.number) == {DEV: "failure", PROD: "success"}


def test_the_objects_of_an_older_run_are_nothing_to_this_one(forger: Forger) -> None:
    """Nor are those that claim to be of a later attempt."""
    for run in ("4141-1", "4242-9"):
        forger.plan("dev/app", run, text=run)
        forger.plan("prod/net", run, text=run)
    forger.comment()
    assert forger.plans() == {DEV: forger.own("dev/net"), PROD: forger.own("prod/net")}


def test_who_attests_may_do_nothing_else(forger: Forger) -> None:
    """With exactly the rights that bootstrap gives: it reads plans and creates attestations."""
    store = forger.ci.recorded.server.store
    member = account("dev", SHARED)
    policies: dict[str, list[dict[str, Any]]] = {}
    for environment in NET:
        for part, role in RIGHTS[SHARED]:
            binding = {"role": f"roles/storage.{role}", "members": [member]}
            policies.setdefault(f"{environment}/{part}", []).append(binding)
    for folder, bindings in policies.items():
        store.insert_managed_folder(BUCKET, folder)
        store.set_managed_folder_policy(BUCKET, folder, {"bindings": bindings})
    url = forger.ci.recorded.server.url_of(member)
    job = forger.ci.job(forger.number, environment=SHARED, GITHUB_RUN_ATTEMPT="5")
    job("ci", "comment", str(forger.folder), code=0)
    job("ci", "comment", str(forger.folder), code=1)
    bucket = Bucket(BUCKET, {"STORAGE_EMULATOR_HOST": url})
    name = f"dev/attestations/{forger.number}/{forger.head}/4242-5.json"
    refused: tuple[Callable[[], object], ...] = (
        lambda: bucket.write(name, b"{}"),
        lambda: bucket.delete(name),
        lambda: bucket.read(name),
        lambda: bucket.write("dev/plans/1/h/net/1-1.json", b"{}", if_generation="0"),
        lambda: bucket.read("dev/ledger/digest.key"),
        lambda: bucket.read("dev/state/net/default.tfstate"),
        lambda: bucket.write("dev/promotion/c.json", b"{}", if_generation="0"),
    )
    for attempt in refused:
        with pytest.raises(StateError):
            attempt()


# What an attacker may write into a report: (a change of the document that was read from it).
FORGED: tuple[Callable[[Any], None], ...] = (
    lambda upload: upload["review"].update(head="e" * 40),
    lambda upload: upload["review"].update(commit="e" * 40),
    lambda upload: upload["review"].update(pull_request=10_000),
    lambda upload: upload["review"].update(run="9999-1"),
    lambda upload: upload["review"].update(run="4242-2"),
    lambda upload: upload["review"].update(run=""),
    lambda upload: upload["review"]["stacks"][0].update(sha256="not a hash"),
    lambda upload: upload["review"]["stacks"][0].update(object="dev/plans/1/h/net/1-1.json"),
    lambda upload: upload["review"]["stacks"][0]["report"].update(id="dev/ghost"),
    lambda upload: upload["review"]["stacks"][0]["report"].update(id="dev/net\ndev/app 0"),
    lambda upload: upload["review"]["stacks"][0]["report"].update(counts={}),
    lambda upload: upload["review"]["stacks"][0]["report"].update(counts={"create": -1}),
    lambda upload: upload["review"]["stacks"][0]["report"].update(seconds=float("nan")),
    lambda upload: upload["review"]["stacks"][0]["report"].update(changes=[{}]),
    lambda upload: upload["review"]["stacks"][0]["report"].update(changes=[{"address": 7, "actions": [[]]}]),
    lambda upload: upload["review"]["stacks"][0]["report"].update(diagnostics=[{"line": "7"}]),
    lambda upload: upload["review"]["stacks"][0].update(drift=[{"address": "a", "actions": None}]),
    lambda upload: upload["review"]["stacks"][0].update(findings=[{"severity": "no"}]),
    lambda upload: upload.update(version=7),
    lambda upload: upload.update(kind="apply"),
    lambda upload: upload.clear(),
)  # fmt: skip
BROKEN = ("", "{", "[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "\x00", "\xff")


def test_what_does_not_fit_is_left_out_whole(forger: Forger) -> None:
    """What is left out has a red check: one of them is shown and attested, the others are only read."""
    assert forger.stacks() == {"dev/net", "prod/net"}
    for change in FORGED:
        forger.rewrite(change)
        assert forger.stacks() == {"prod/net"}
    is_left_out(forger)


def test_what_is_no_json_is_left_out(forger: Forger) -> None:
    for text in BROKEN:
        (forger.folder / "infra-plan-dev-0" / "plan-dev-1.json").write_bytes(text.encode("latin-1"))
        assert forger.stacks() == {"prod/net"}
    is_left_out(forger)


def test_values_that_are_nested_too_deep_are_left_out(forger: Forger) -> None:
    path = forger.folder / "infra-plan-dev-0" / "plan-dev-1.json"
    attribute = {"path": "x", "before": "DEEP", "after": None, "sensitive": False, "unknown": False}
    changed = {"address": "a.b", "previous_address": None, "actions": ["update"], "attributes": [attribute]}
    forger.rewrite(lambda upload: upload["review"]["stacks"][0]["report"].update(changes=[changed]))
    path.write_text(path.read_text().replace('"DEEP"', "[" * 600 + "]" * 600))
    is_left_out(forger)


def test_a_file_that_is_too_large_is_not_read(forger: Forger) -> None:
    with (forger.folder / "infra-plan-dev-0" / "plan-dev-1.json").open("ab") as file:
        file.truncate(1 << 40)
    is_left_out(forger)


def test_a_report_cannot_claim_that_only_one_stack_was_requested(forger: Forger) -> None:
    """Else no check would be posted, and what the head had before would stand."""
    forger.rewrite(lambda upload: upload.update(only="dev/net"))
    is_left_out(forger)


def test_a_job_does_not_decide_what_is_expected(forger: Forger) -> None:
    forger.rewrite(lambda upload: upload.update(expected=["prod/other", "dev/net", "nothing"]))
    forger.comment()
    assert forger.ci.conclusions(forger.number)[PROD] == "success"


def test_a_plan_job_cannot_report_an_apply(forger: Forger) -> None:
    """The job that comments may write statuses and comments everywhere: none for what was not applied."""
    facts = RolloutFacts("acme/infra", "main", forger.ci.github.trunk, RUN, "", ("dev", "prod"))
    forged = replace(
        build_result(facts, EnvironmentRun("prod", owners={"prod/net": (forger.number,)})), state="applied"
    )
    write_result(forger.folder / "infra-plan-dev-0", forged)
    forger.comment()
    assert forger.plans() == {DEV: forger.own("dev/net"), PROD: forger.own("prod/net")}
    assert forger.ci.github.statuses(forger.ci.github.trunk) == {}
    assert forger.ci.github.deployments() == []


def test_a_rollout_is_of_its_own_job_and_commit(server: CiProject, tmp_path: Path) -> None:
    trunk, event = server.github.trunk, str(server.github.event_file("push"))
    env = server.github.environ(
        server.github.token(pull_requests="write", checks="write", statuses="write", deployments="write"),
        "push",
        GITHUB_EVENT_PATH=event,
    )
    from tests.support.cli import Infra

    infra = Infra(server.checkout(trunk), env)
    facts = RolloutFacts("acme/infra", "main", trunk, RUN, "", ("dev", "prod"))
    states = {}
    for name, artifact, commit in (
        ("dev", "infra-apply-dev", trunk),
        ("prod", "infra-apply-dev", trunk),
        ("prod", "infra-apply-prod", "e" * 40),
        ("nowhere", "infra-apply-nowhere", trunk),
    ):
        folder = tmp_path / artifact / commit[:4] / name
        result = replace(build_result(replace(facts, commit=commit), EnvironmentRun(name)), state="applied")
        write_result(folder, result)
        code = 0 if (name, artifact, commit) == ("dev", "infra-apply-dev", trunk) else 1
        document = infra("ci", "comment", str(tmp_path), "--json", code=code).document
        states = document["environments"]
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
    assert forger.plans()[PROD] == forger.own("prod/net")
    assert asdict(forger.report("dev"))["shard"] == "1/1"


def test_remarks_stand_on_lines_that_there_can_be(forger: Forger) -> None:
    def diagnostic(file: str, line: int) -> dict[str, Any]:
        return {
            "severity": "error",
            "summary": "x\x1b",
            "detail": "",
            "address": None,
            "file": file,
            "line": line,
        }

    diagnostics = [
        diagnostic("a.tf", -3),
        diagnostic("b.tf", 1 << 60),
        diagnostic("../../etc/passwd", 3),
        diagnostic("/etc/passwd", 3),
    ]
    # Of a plan that failed there is no object.
    forger.objects("dev").storage.delete(f"dev/plans/{forger.number}/{forger.head}/net/{RUN}.json")
    failed = {"result": "failed", "diagnostics": diagnostics}

    def fail(upload: dict[str, Any]) -> None:
        upload["review"]["stacks"][0].update(object="", sha256="")
        upload["review"]["stacks"][0]["report"].update(failed)

    forger.rewrite(fail)
    forger.comment()
    check = forger.ci.github.checks(forger.head, DEV)[-1]
    locations = [
        (annotation["path"], annotation["start_line"], annotation["message"])
        for annotation in check.annotations
    ]
    assert locations == [("a.tf", 1, "x\\u001b"), ("b.tf", 1, "x\\u001b")]


def test_no_job_decides_what_another_job_was_to_plan(forger: Forger) -> None:
    forger.write("dev", forger.report("dev", expected=("dev/net", "prod/net")))
    validated_reports = validate_reports(
        forger.scope, read_event(forger.job.env), read_reports([forger.folder])
    )
    assert [report.expected for report in validated_reports.reports] == [("dev/net",), ("prod/net",)]
