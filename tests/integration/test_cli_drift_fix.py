"""`infra drift --fix` and what it stands for in CI, with real Terraform on a simulated provider."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("grpc")

from orchestrator.config.drift import Drift
from orchestrator.drift.check_all import DriftRequest, check_drift
from orchestrator.drift.remediation import remediate
from orchestrator.drift.remediation_choice import decide
from orchestrator.engine.inspection import inspect_nothing
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.recorder import RecorderOptions
from orchestrator.engine.session import open_session
from orchestrator.repository.loading import load
from orchestrator.review.rollout.apply import AutoConsent
from orchestrator.sandbox.provider.server import ProviderServer
from tests.conftest import MakeRepo
from tests.integration.test_cli_drift import DURATION, MAIN, PLAIN, topic
from tests.support.cli import Infra, InfraResult
from tests.support.github import ServedGitHub
from tests.support.scheduled_checks import CONFIG, HEAD, ScheduledChecks, open_checks, serving_types
from tests.support.schemas import check_schema

pytestmark = pytest.mark.usefixtures("terraform_argv")

STARTS = "on: {workflow_dispatch: {inputs: {environment: {}, drift: {}}}}\n"
YES = ("--auto-approve", "--allow-destroy", "--confirm", "dev")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ProviderServer, int]]:
    with serving_types(tmp_path_factory.mktemp("worlds")) as server:
        yield server


@pytest.fixture
def scheduled(
    request: pytest.FixtureRequest,
    provider: tuple[ProviderServer, int],
    make_steady_repo: MakeRepo,
    tmp_path: Path,
    worlds: Path,
) -> Iterator[ScheduledChecks]:
    """One stack, `dev/app`, with three topics, applied."""
    code = HEAD + topic() + topic(name="gone") + topic(name="other")
    repo = make_steady_repo({"infra.yaml": CONFIG, MAIN: code, ".gitignore": ".infra\n"})
    applied = worlds / "drift-fix"
    with open_checks(repo, tmp_path / "gcs", *provider, request.node.name, applied=applied) as checks:
        yield checks


def test_what_drifts_is_put_back_and_nothing_else_is_done(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.delete("gone")
    # Trunk went on meanwhile; a correction applies what was applied, not what trunk owes.
    scheduled.repo.commit({MAIN: HEAD + topic("1500s") + topic(name="gone") + topic("1500s", name="other")})
    done = scheduled.infra("drift", "--fix", "--action", "revert", *YES, "--json", code=0).document
    check_schema(done, "drift")
    assert [(correction["action"], correction["result"]) for correction in done["remediations"]] == [
        ("revert", "applied")
    ]
    assert sorted(done["remediations"][0]["addresses"]) == ["google_pubsub_topic.gone", PLAIN]
    (stack,) = done["stacks"]
    assert (stack["result"], stack["ending"]) == ("clean", "reverted by a remediation")
    assert scheduled.world.get("plain").attributes[DURATION] == "600s"
    assert scheduled.world.get("other").attributes[DURATION] == "600s"
    (record,) = scheduled.contents("dev/drift/stacks").values()
    (episode,) = json.loads(record)["past"]
    assert (episode["how"], episode["by"]) == ("reverted by a remediation", done["run"]["id"])
    runs = [json.loads(data) for name, data in scheduled.contents("dev/ledger/runs").items()]
    assert {run["id"]: run["command"] for run in runs}[done["run"]["id"]] == "apply"


def test_only_what_the_code_has_already_can_be_accepted(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    refused = scheduled.infra("drift", "--fix", "--action", "accept", *YES, code=8)
    assert f"{DURATION} is reverted: the next apply would undo it" in refused.err
    scheduled.repo.commit({MAIN: HEAD + topic("900s") + topic(name="gone") + topic(name="other")})
    scheduled.apply("dev/app")
    assert scheduled.classes(code=8)[PLAIN] == {"kind": "changed", DURATION: "codified"}
    done = scheduled.infra("drift", "--fix", "--action", "accept", *YES, "--json", code=0).document
    assert [(correction["action"], correction["result"]) for correction in done["remediations"]] == [
        ("accept", "applied")
    ]
    assert done["stacks"][0]["ending"] == "accepted by a remediation"
    assert scheduled.world.get("plain").attributes[DURATION] == "900s"


def test_without_consent_or_an_action_nothing_is_done(scheduled: ScheduledChecks) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    assert "infra.yaml names no action" in scheduled.infra("drift", "--fix", *YES, code=8).out
    scheduled.infra("drift", "--fix", "--action", "revert", code=4)
    assert scheduled.world.get("plain").attributes[DURATION] == "900s"


def test_a_pull_request_by_hand_needs_github_and_leaves_the_world_alone(
    scheduled: ScheduledChecks, tmp_path: Path
) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.delete("gone")
    ran = scheduled.infra("drift", "--fix", "--action", "pr", code=1)
    assert "google_pubsub_topic.gone: it is deleted: there is no value in the code to write" in ran.err
    assert "GITHUB_REPOSITORY is not set" in ran.err
    with ServedGitHub(tmp_path, repo=scheduled.repo) as github:
        scheduled.repo.git("remote", "add", "origin", str(github.bare))
        scheduled.repo.git("fetch", "-q", "origin")
        environ = github.environ(github.token("ada"), "push", CI="", GITHUB_ACTIONS="")
        ran = scheduled.infra("drift", "--fix", "--action", "pr", code=8, **environ)
        with github.locked_repository as repository_data:
            (issue,) = repository_data.repository.issues.values()
        assert issue.title == "Keep what was changed outside in dev/app"
        assert f"#{issue.number} writes it into the code" in ran.err
        code = github.work.git("--git-dir", str(github.bare), "show", f"{issue.pull.head}:{MAIN}")
        assert code.count('"900s"') == 1
        # Where no value can be written, it opens one that describes them.
        text = (scheduled.repo.root / MAIN).read_text()
        assert '"600s"' in text
        scheduled.repo.commit({MAIN: text.replace('"600s"', 'format("%ds", 600)')}, "Compute it")
        scheduled.repo.git("push", "-q", "origin", "HEAD:main")
        scheduled.repo.git("fetch", "-q", "origin")
        scheduled.world.set("plain", DURATION, "901s")
        ran = scheduled.infra("drift", "--fix", "--action", "pr", code=8, **environ)
        with github.locked_repository as repository_data:
            described = max(repository_data.repository.issues.values(), key=lambda issue: issue.number)
        assert f"#{described.number} describes what a person has to write" in ran.err
        assert "901s" in described.body
        assert "empty commit" in described.body
        changed = github.work.git(
            "--git-dir", str(github.bare), "diff", "--name-only", "main", described.pull.head
        )
    assert changed == ""
    assert scheduled.world.get("plain").attributes[DURATION] == "901s"


def test_a_job_corrects_what_its_digest_names_and_infra_yaml_allows(scheduled: ScheduledChecks) -> None:
    actions = "drift:\n  actions:\n    dev: {reverted: revert}\n  limits: {addresses: ['*.plain']}\n"
    scheduled.repo.commit({"infra.yaml": CONFIG + actions})
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.delete("gone")
    (stack,) = scheduled.check(code=8)["stacks"]
    stale = "0" * 64
    assert "nothing drifts in this way" in scheduled.infra("ci", "apply", "dev", "--drift", stale, code=5).out
    ran = scheduled.infra("ci", "apply", "dev", "--drift", stack["digest"], "--report", "report", code=4)
    assert f"reverted {PLAIN} by run" in ran.out
    assert "google_pubsub_topic.gone: `drift.limits.addresses` does not name it" in ran.out
    assert scheduled.world.get("plain").attributes[DURATION] == "600s"
    (left,) = scheduled.check(code=8)["stacks"]
    assert [resource["address"] for resource in left["resources"]] == ["google_pubsub_topic.gone"]
    # What was seen is not what drifts now: that digest does nothing more.
    again = scheduled.infra("ci", "apply", "dev", "--drift", stack["digest"], "--json", code=5).document
    check_schema(again, "drift")
    assert again["done"] == [f"{stack['digest'][:12]}…: nothing drifts in this way any more"]
    document = json.loads((scheduled.repo.root / "report" / "drift-dev-1.json").read_bytes())
    assert "reverted" in document["stacks"][0]["remediation"]


def test_what_would_do_more_than_correct_is_not_done(scheduled: ScheduledChecks) -> None:
    """A target takes along what it stands on; that was not allowed."""
    leaning = topic("600s", "other").replace("}", "  labels = { of = google_pubsub_topic.plain.name }\n}", 1)
    limits = "drift:\n  actions:\n    dev: {reverted: revert}\n  limits: {addresses: ['*.other']}\n"
    scheduled.repo.commit({"infra.yaml": CONFIG + limits, MAIN: HEAD + topic() + leaning})
    scheduled.apply()
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.world.set("other", DURATION, "900s")
    (stack,) = scheduled.check(code=8)["stacks"]
    ran = scheduled.infra("ci", "apply", "dev", "--drift", stack["digest"], code=5)
    assert f"A plan to revert it would change more than that: {PLAIN}." in ran.out
    assert scheduled.world.get("other").attributes[DURATION] == "900s"


def test_the_policy_holds_for_corrections(scheduled: ScheduledChecks) -> None:
    scheduled.repo.commit({"infra.yaml": f"{CONFIG}policy: {{labels: {{required: [owner]}}}}\n"})
    scheduled.world.set("plain", DURATION, "900s")
    ran = scheduled.infra("drift", "--fix", "--action", "revert", *YES, "--json", code=4).document
    assert ran["remediations"][0]["reason"].startswith("the policy forbids it")
    assert scheduled.world.get("plain").attributes[DURATION] == "900s"


def test_a_correction_does_not_break_into_a_state_that_somebody_holds(scheduled: ScheduledChecks) -> None:
    """Nor does a check call it drift: what somebody is applying looks like it."""
    scheduled.world.set("plain", DURATION, "900s")
    env = {
        "STORAGE_EMULATOR_HOST": scheduled.server.url,
        "TF_REATTACH_PROVIDERS": scheduled.attached,
        "INFRA_SANDBOX": "test",
    }
    session = open_session(load(scheduled.repo.root), env, SilentProgress())
    (stack,) = check_drift(session, DriftRequest(("dev/app",))).stacks
    scheduled.lock("dev/app", "2026-01-01T00:00:00Z")
    (way,) = decide(stack, Drift(), "revert").remediations
    done = remediate(
        session, way, stack, AutoConsent(), RecorderOptions(), deletes=True, inspect=inspect_nothing
    )
    session.close()
    assert (done.is_done, done.report.result) == (False, "locked")
    assert "bo@elsewhere" in done.words
    assert scheduled.world.get("plain").attributes[DURATION] == "900s"
    out = scheduled.infra("drift", "--fix", "--action", "revert", *YES, code=0).out
    assert "bo@elsewhere holds its state" in out
    assert "No stack that could be checked has drift." in out


def test_the_checkout_decides_who_may_remediate_not_the_commit_that_was_applied(
    scheduled: ScheduledChecks,
) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    scheduled.repo.commit({"infra.yaml": CONFIG.replace("dev: {}", "dev: {apply: ci}")})
    refused = scheduled.infra("drift", "--fix", "--action", "revert", *YES, code=4)
    assert "Only CI applies to dev" in refused.err
    done = scheduled.infra(
        "drift", "--fix", "--action", "revert", "--break-glass", "alert 4711", *YES, code=0
    )
    assert "reverted" in done.err
    runs = [json.loads(data) for data in scheduled.contents("dev/ledger/runs").values()]
    assert "alert 4711" in {run["break_glass"] for run in runs}


def test_one_machine_checks_and_reports(scheduled: ScheduledChecks, tmp_path: Path) -> None:
    scheduled.world.set("plain", DURATION, "900s")
    # Said before anything is checked, not after hours of it.
    assert "GITHUB_REPOSITORY is not set" in scheduled.infra("drift", "--issues", code=3).err
    with ServedGitHub(tmp_path, repo=scheduled.repo) as github:
        environ = github.environ(github.token("ada"), "push", CI="", GITHUB_ACTIONS="")
        scheduled.infra("drift", "--issues", code=8, **environ)
        with github.locked_repository as repository_data:
            (issue,) = repository_data.repository.issues.values()
        assert (issue.title, issue.author) == ("Drift in dev/app", "ada")
        ran = scheduled.infra("drift", "--issues", "--fix", "--action", "revert", *YES, code=0, **environ)
        assert issue.state == "closed", ran.err
        assert "by run" in issue.comments[0].body


def test_three_scheduled_checks_with_their_issue_and_their_corrections(
    scheduled: ScheduledChecks, tmp_path: Path
) -> None:
    """Seen, told, put right in a job, told; then written into the code; then quiet."""
    settings = "drift:\n  actions:\n    dev: {reverted: revert, codified: accept}\n"
    scheduled.repo.commit({"infra.yaml": CONFIG + settings})
    scheduled.apply()
    with ServedGitHub(tmp_path, repo=scheduled.repo) as github:
        github.commit("main", {".github/workflows/infra-apply.yml": STARTS}, "Workflows")
        scheduled.repo.git("pull", "-q", str(github.bare), "main")

        def dawn(code: int) -> InfraResult:
            """A scheduled check as the drift account, and the job that publishes it."""
            shutil.rmtree(scheduled.repo.root / "report", ignore_errors=True)
            scheduled.check("--report", "report", code=code)
            return report_drift("report")

        def report_drift(*argv: str) -> InfraResult:
            token = github.token(issues="write", actions="write", contents="write", pull_requests="write")
            return Infra(scheduled.repo.root, github.environ(token, "schedule"))("ci", "drift", *argv, code=0)

        def by_day() -> None:
            """The job that infra-drift started, and the one that tells what came of it."""
            inputs = github.dispatches[-1].inputs
            shutil.rmtree(scheduled.repo.root / "report")
            apply_argv = (
                "ci",
                "apply",
                inputs["environment"],
                "--drift",
                inputs["drift"],
                "--report",
                "report",
            )
            scheduled.infra(*apply_argv, code=0)
            report_drift("report", "--remediated")

        scheduled.world.set("plain", DURATION, "900s")
        scheduled.world.delete("gone")
        assert "dev: infra-apply was started and remediates what is allowed." in dawn(8).out
        with github.locked_repository as repository_data:
            (issue,) = [issue for issue in repository_data.repository.issues.values() if issue.pull is None]
        assert (issue.title, issue.state) == ("Drift in dev/app", "open")
        by_day()
        assert issue.state == "closed"
        assert "reverted by a remediation" in issue.comments[-1].body
        # By hand again, and this time the code follows: what is left is to take it into the state.
        scheduled.world.set("plain", DURATION, "900s")
        scheduled.repo.commit({MAIN: HEAD + topic("900s") + topic(name="gone") + topic(name="other")})
        scheduled.apply("dev/app")
        dawn(8)
        assert issue.state == "open"
        by_day()
        assert issue.state == "closed"
        assert "accepted by a remediation" in issue.comments[-1].body
        writes, comments = len(github.writes()), len(issue.comments)
        dawn(0)
        assert (len(github.writes()), len(issue.comments)) == (writes, comments)
    history = scheduled.infra("drift", "history", "--json", code=0).document
    (stack,) = history["stacks"]
    assert [episode["ending"] for episode in stack["episodes"]] == [
        "accepted by a remediation",
        "reverted by a remediation",
    ]
