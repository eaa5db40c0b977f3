"""Issues about drift, on a GitHub on loopback: twenty scheduled checks against a model, and single cases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator.config.drift import Drift
from orchestrator.drift.model import Category, DriftedAttribute, DriftedResource, MatchedIgnoreRule
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.drift.report_files import write_report
from orchestrator.masking import HIDDEN
from orchestrator.report.model import RunInfo
from tests.support.cli import Infra
from tests.support.github import ServedGitHub
from tests.support.many_checks import RandomChecks

CHECKS = 20
# Between these checks everything happens that can: a stack leaves trunk while it drifts, a person interferes.
SEED = 12
STACK = 'terraform {\n  backend "gcs" {}\n}\n'
FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: states}\n",
    "infra/envs/dev/net/main.tf": STACK,
    "infra/envs/prod/net/main.tf": STACK,
    ".github/CODEOWNERS": "* @olga\n/infra/envs/prod/ @bert @acme/platform @nobody-here\n",
}
DAY = "2026-01-01T03:17:00Z"


@pytest.mark.parametrize("issues", ["stack", "environment"])
def test_the_issues_match_the_model_after_each_of_twenty_scheduled_checks(
    issues: Literal["stack", "environment"], tmp_path: Path
) -> None:
    with (
        ServedGitHub(tmp_path) as github,
        RandomChecks(github, SEED, settings=Drift(issues=issues)) as checks,
    ):
        for _ in range(CHECKS):
            checks.play_step()
        assert len(checks.model.ever) > 3
        assert {"edit", "fix", "apply", "a check failed"} <= checks.happened.keys()


class PublishedChecks:
    """A project on GitHub, and jobs that tell what checks found."""

    def __init__(self, github: ServedGitHub, folder: Path, **environ: str) -> None:
        self.github = github
        self.folder = folder
        self.environ = environ
        self.number = 0

    def publish_checks(
        self, *stacks: StackDrift, options: tuple[str, ...] = (), code: int = 0, at: str = DAY
    ) -> Any:
        """The reports of a scheduled check, one for each environment, and `infra ci drift` over them."""
        self.number += 1
        reports = self.folder / f"reports-{self.number}"
        run = RunInfo(f"D{self.number}", "ci", "c" * 40, at, 1.0)
        for environment in dict.fromkeys(stack.environment for stack in stacks):
            mine = tuple(stack for stack in stacks if stack.environment == environment)
            write_report(reports / environment, DriftReport(run, mine))
        token = self.github.token(issues="write", actions="write", contents="write", pull_requests="write")
        env = {**self.github.environ(token, "schedule"), **self.environ}
        return Infra(self.github.work.root, env)("ci", "drift", str(reports), *options, code=code)

    @property
    def issues(self) -> dict[str, Any]:
        """The issues by title."""
        with self.github.locked_repository as repository_data:
            open_issues = [
                issue for issue in repository_data.repository.issues.values() if issue.pull is None
            ]
        assert len({issue.title for issue in open_issues}) == len(open_issues)
        return {issue.title: issue for issue in open_issues}


@contextmanager
def publishing(
    folder: Path, settings: str = "", more: Mapping[str, str] | None = None, **environ: str
) -> Iterator[PublishedChecks]:
    files = {**FILES, "infra.yaml": FILES["infra.yaml"] + settings, **(more or {})}
    with ServedGitHub(folder, files=files) as github:
        yield PublishedChecks(github, folder, **environ)


def resource(name: str = "plain", category: Category = "reverted", after: str = "900s") -> DriftedResource:
    attribute = DriftedAttribute("duration", category, "600s", after, "600s")
    return DriftedResource(
        f"google_pubsub_topic.{name}", "google_pubsub_topic", "changed", category, (attribute,), ("update",)
    )


def drifted(id_: str = "prod/net", *resources: DriftedResource, digest: str = "d1") -> StackDrift:
    return StackDrift(
        id_,
        id_.partition("/")[0],
        "drifted",
        commit="c" * 40,
        resources=resources or (resource(),),
        paths=(f"infra/envs/{id_}",),
        digest=(digest * 32)[:64],
        first_seen=DAY,
        is_new=True,
    )


def clean(id_: str, **more: Any) -> StackDrift:
    return StackDrift(id_, id_.partition("/")[0], "clean", **more)


def unchecked(id_: str, *, is_new: bool = False) -> StackDrift:
    return StackDrift(id_, id_.partition("/")[0], "unchecked", "no answer", failed=True, is_new=is_new)


def test_an_issue_is_opened_updated_closed_and_opened_again(tmp_path: Path) -> None:
    with publishing(tmp_path) as published:
        published.publish_checks(drifted(), clean("dev/net"))
        (issue,) = published.issues.values()
        assert (issue.title, issue.state) == ("Drift in prod/net", "open")
        assert set(issue.labels) == {"drift", "drift/prod", "severity/medium"}
        assert set(issue.assignees) == {"bert"}
        assert "Owned by @acme/platform." in issue.body
        assert 'duration: "600s" → "900s"' in issue.body
        assert issue.comments == []
        # The same in the next check, then another value, then no answer, then no drift.
        published.publish_checks(drifted(), clean("dev/net"), at="2026-01-02T03:17:00Z")
        assert issue.comments == []
        assert "2026-01-02 03:17 UTC" in issue.body
        worse = resource(category="conflict", after="1200s")
        published.publish_checks(drifted("prod/net", worse, digest="d2"), clean("dev/net"))
        assert set(issue.labels) == {"drift", "drift/prod", "severity/high"}
        assert [comment.body.split("\n")[0] for comment in issue.comments] == ["What drifted has changed."]
        published.publish_checks(unchecked("prod/net"), clean("dev/net"))
        assert (issue.state, len(issue.comments)) == ("open", 1)
        published.publish_checks(
            clean("prod/net", ended="reverted by an apply", ended_by="R7"), clean("dev/net")
        )
        assert (issue.state, issue.state_reason) == ("closed", "completed")
        assert "reverted by an apply, run R7" in issue.comments[-1].body
        assert "reverted by an apply, run R7" in issue.body
        assert "1200s" in issue.body
        published.publish_checks(drifted(), clean("dev/net"))
        assert issue.state == "open"
        assert issue.comments[-1].body.startswith("It drifted again.")
        assert len(published.issues) == 1


def test_only_our_own_issues_are_touched(tmp_path: Path) -> None:
    with publishing(tmp_path) as published:
        published.publish_checks(drifted())
        (mine,) = published.issues.values()
        # Somebody copies the issue with its marker.
        token = published.github.token("ada")
        published.github.ask(
            token, "POST", "/issues", {"title": "A copy", "body": mine.body, "labels": ["drift/prod"]}
        )
        published.publish_checks(clean("prod/net"), clean("dev/net"))
        assert published.issues["A copy"].state == "open"
        assert published.issues["A copy"].comments == []
        assert mine.state == "closed"


def test_of_two_issues_about_the_same_one_stays(tmp_path: Path) -> None:
    """Two jobs began at once."""
    with publishing(tmp_path) as published:
        published.publish_checks(drifted())
        (first,) = published.issues.values()
        token = published.github.token(issues="write")
        twin = {"title": "The twin", "body": first.body}
        published.github.ask(token, "POST", "/issues", twin)
        published.publish_checks(drifted())
        assert (first.state, published.issues["The twin"].state) == ("open", "closed")
        assert published.issues["The twin"].comments[0].body.startswith(f"The same as #{first.number}.")
        published.publish_checks(drifted())
        assert len(published.issues["The twin"].comments) == 1


def test_another_kind_of_issue_and_a_stack_that_is_gone_leave_none_behind(tmp_path: Path) -> None:
    with publishing(tmp_path) as published:
        published.publish_checks(drifted("prod/net"), drifted("dev/net"))
        published.github.work.git("rm", "-rq", "infra/envs/dev/net")
        published.publish_checks(drifted("prod/net"))
        assert published.issues["Drift in dev/net"].state == "closed"
        assert "Trunk no longer has it." in published.issues["Drift in dev/net"].body
        settings = published.github.work.root / "infra.yaml"
        settings.write_text(settings.read_text() + "drift: {issues: none}\n")
        published.publish_checks(drifted("prod/net"))
        assert {issue.state for issue in published.issues.values()} == {"closed"}


def test_text_of_others_does_nothing_and_secrets_of_the_report_stay_masked(tmp_path: Path) -> None:
    with publishing(tmp_path) as published:
        published.publish_checks(
            drifted("prod/net", resource("a", after="@olga #1 <img src=x> <!-- infra:drift -->"))
        )
        (issue,) = published.issues.values()
        before, _, inside = issue.body.partition("```")
        assert "@olga" not in before
        assert "@olga" in inside
        assert issue.body.count("<!-- infra:drift ") == 1


def test_one_issue_for_an_environment_lives_as_long_as_one_of_its_stacks_drifts(tmp_path: Path) -> None:
    more = {"infra/envs/prod/app/main.tf": STACK}
    with publishing(tmp_path, "drift: {issues: environment}\n", more) as published:
        published.publish_checks(drifted("prod/net"), drifted("prod/app", digest="a1"), clean("dev/net"))
        (issue,) = published.issues.values()
        assert issue.title == "Drift in prod"
        published.publish_checks(
            clean("prod/net", ended="fixed outside"), unchecked("prod/app"), clean("dev/net")
        )
        assert issue.state == "open"
        assert issue.comments[-1].body.startswith("`prod/net` is as it was applied again: fixed outside.")
        assert "`prod/app` drifted at its last check, and was not checked since: no answer" in issue.body
        # What had no drift in that check is not open later, when a check gets no answer.
        published.publish_checks(unchecked("prod/net"), clean("prod/app", ended="accepted"), clean("dev/net"))
        assert issue.state == "closed"


def test_each_scheduled_check_sends_one_summary_and_one_message_or_none_without_drift(tmp_path: Path) -> None:
    with listening() as (url, received):
        settings = "drift: {summary: issue, webhook: DRIFT_URL}\n"
        with publishing(tmp_path, settings, DRIFT_URL=url) as published:
            published.publish_checks(drifted(), unchecked("dev/net", is_new=True))
            summary = published.issues["Drift"]
            assert "prod/net" in summary.body
            assert "no answer" in summary.body
            (text,) = received
            assert text.startswith("acme/infra prod: drift found and 1 more\n")
            assert "- dev/net: no answer" in text
            assert f"{published.github.url}/acme/infra/issues/" in text
            published.publish_checks(clean("prod/net", ended="fixed outside"), clean("dev/net"))
            assert summary.state == "closed"
            assert "- prod/net: fixed outside" in received[-1]
            published.publish_checks(clean("prod/net"), clean("dev/net"))
            assert len(received) == 2
            # A job that died left no report: that is told, and changes nothing else.
            ran = published.publish_checks(clean("prod/net"))
            assert "dev: its check left no report." in ran.out
            assert "dev: its check left no report." in received[-1]
            assert len(received) == 3
            assert (summary.state, "left no report" in summary.body) == ("open", True)


def test_a_message_that_cannot_be_sent_is_reported_and_its_address_is_not(tmp_path: Path) -> None:
    with publishing(
        tmp_path, "drift: {webhook: DRIFT_URL}\n", DRIFT_URL="http://127.0.0.1:9/secret-path"
    ) as published:
        ran = published.publish_checks(drifted())
        assert "warning: The message to drift.webhook: The webhook of DRIFT_URL cannot be reached" in ran.err
        assert "secret-path" not in ran.err + ran.out
        assert published.issues["Drift in prod/net"].state == "open"


RULES = """drift:
  ignore:
    - {address: "*.plain", attribute: duration, reason: Tried out., until: 2999-12-31}
    - {address: "*.gone", attribute: "*", reason: It was there once., until: 2999-12-31}
"""


def test_only_all_parts_of_a_check_together_show_that_a_rule_is_unused(tmp_path: Path) -> None:
    more = {"infra/envs/prod/app/main.tf": STACK}
    rule = MatchedIgnoreRule("*.plain", "duration", "Tried out.", "2999-12-31")
    covered = clean("prod/net", resources=(replace(resource(), rule=rule),))
    with publishing(tmp_path, RULES, more) as published:
        out = published.publish_checks(clean("dev/net"), covered, clean("prod/app")).out
        assert "drift.ignore: *.gone *: covers nothing any more. Remove it." in out
        assert "*.plain" not in out
        # A job that died may have been the one that needed it.
        out = published.publish_checks(clean("dev/net"), clean("prod/app")).out
        assert "covers nothing" not in out
        assert "prod: prod/net is in no report." in out
        assert (
            "covers nothing"
            not in published.publish_checks(unchecked("dev/net"), covered, clean("prod/app")).out
        )


def test_what_may_be_put_right_is_started_once_for_each_environment(tmp_path: Path) -> None:
    settings = "drift:\n  actions:\n    prod: {reverted: revert}\n  limits: {max: 1}\n"
    starts = "on: {workflow_dispatch: {inputs: {environment: {}, drift: {}}}}\n"
    workflow = {".github/workflows/infra-apply.yml": starts}
    with publishing(tmp_path, settings, workflow) as published:
        published.publish_checks(drifted(), drifted("dev/net"))
        (dispatch,) = published.github.dispatches
        assert (dispatch.workflow, dispatch.ref, dispatch.inputs) == (
            "infra-apply.yml",
            "main",
            {"environment": "prod", "drift": ("d1" * 32)},
        )
        # Two are more than the limit, and what a correction left is not tried again the same day.
        published.publish_checks(drifted("prod/net", resource("a"), resource("b")), clean("dev/net"))
        published.publish_checks(drifted(), options=("--remediated",))
        assert len(published.github.dispatches) == 1


TOPIC = """
resource "google_pubsub_topic" "plain" {
  duration =   "600s" # as it was
}
"""


def test_real_values_are_written_into_the_code_by_a_pull_request(tmp_path: Path) -> None:
    path = "infra/envs/prod/net/main.tf"
    settings = "drift:\n  actions:\n    prod: {reverted: pr}\n"
    with publishing(tmp_path, settings, {path: STACK + TOPIC}) as published:
        hidden = DriftedAttribute("kms_key_name", "reverted", HIDDEN, HIDDEN, HIDDEN, sensitive=True)
        secret = replace(resource(), address="google_pubsub_topic.secret", attributes=(hidden,))
        scheduled = drifted("prod/net", resource(), resource("elsewhere"), secret)
        ran = published.publish_checks(scheduled, clean("dev/net"))
        with published.github.locked_repository as repository_data:
            (issue,) = [issue for issue in repository_data.repository.issues.values() if issue.pull]
        assert f"#{issue.number} writes it into the code" in ran.out
        assert (issue.title, issue.pull.head_ref) == (
            "Keep what was changed outside in prod/net",
            "drift/prod/net/d1d1d1d1d1",
        )
        unwritten = issue.body.partition("Not written, for a person to do:")[2].strip().splitlines()
        assert unwritten == [
            '- `google_pubsub_topic.elsewhere` duration: "600s" → "900s": the code does not have it',
            f"- `google_pubsub_topic.secret` `kms_key_name`: {HIDDEN} → {HIDDEN}: it is sensitive",
        ]
        published.github.work.git("fetch", "-q", "origin", issue.pull.head)
        changed = published.github.work.git("diff", "--name-only", "main", issue.pull.head)
        assert changed.split() == [path]
        code = published.github.work.git("show", f"{issue.pull.head}:{path}")
        assert code.strip() == (STACK + TOPIC).replace("600s", "900s").strip()
        assert published.github.work.git("status", "--porcelain").strip() == ""
        # In the next check it is open already; a closed issue is not opened again.
        assert f"#{issue.number} is open" in published.publish_checks(scheduled, clean("dev/net")).out
        published.github.close(issue.number)
        assert "somebody closed the pull request" in published.publish_checks(scheduled, clean("dev/net")).out


def test_the_result_of_a_remediation_is_reported_where_the_drift_was(tmp_path: Path) -> None:
    with publishing(tmp_path, "drift: {summary: issue}\n") as published:
        published.publish_checks(drifted(), drifted("dev/net"))
        failed = replace(drifted(), remediation="not reverted, failed: quota exceeded")
        published.publish_checks(failed, options=("--remediated",))
        issue = published.issues["Drift in prod/net"]
        assert issue.state == "open"
        assert "quota exceeded" in issue.comments[-1].body
        done = clean(
            "prod/net", ended="reverted by a remediation", ended_by="R9", remediation="reverted x by run R9"
        )
        published.publish_checks(done, options=("--remediated",))
        assert issue.state == "closed"
        # Of other stacks it says nothing, and neither does the summary.
        assert published.issues["Drift in dev/net"].state == "open"
        assert published.issues["Drift"].state == "open"


def test_a_refused_request_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    with publishing(tmp_path) as published:
        published.github.fault("*/issues", method="POST", status=403, times=1)
        ran = published.publish_checks(drifted("dev/net"), drifted("prod/net"), code=1)
        assert "Drift in dev/net" in ran.err
        assert set(published.issues) == {"Drift in prod/net"}
        published.publish_checks(drifted("dev/net"), drifted("prod/net"))
        assert set(published.issues) == {"Drift in prod/net", "Drift in dev/net"}


def test_a_dry_run_notifies_nobody(tmp_path: Path) -> None:
    with publishing(tmp_path) as published:
        out = published.publish_checks(drifted(), options=("--dry-run",)).out
        assert "prod/net" in out
        assert published.issues == {}
        assert published.github.writes() == []


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A chat's webhook: its address, and the texts that came."""
    received: list[str] = []

    class ChatHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), ChatHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
