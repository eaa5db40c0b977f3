"""`infra ci plan` and `infra ci comment`: from a pull request to its comment and checks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.plan.digest import decode, sha256
from orchestrator.repository.loading import load
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.plan_objects import PlanObjects, digest_key
from tests.support.ci import CiProject, grant_plan_accounts, running
from tests.support.cli import Infra
from tests.support.github import BOT
from tests.support.recorded_stack import CONFIG, DEPENDENT, UPSTREAM
from tests.support.repo import Repo
from tests.support.schemas import check_schema

pytestmark = pytest.mark.usefixtures("terraform_argv")

NET = "infra/envs/dev/net/main.tf"
TWO = UPSTREAM.replace("one", "two")
BROKEN = TWO + 'resource "terraform_data" "broken" {\n  input = file("${path.module}/missing")\n}\n'


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything is applied and plans can be hashed; each test gets a copy."""
    folder = tmp_path_factory.mktemp("applied")
    with running(folder) as project:
        project.recorded.apply()
        for name in ("dev", "prod"):
            objects = plan_objects(project, name)
            digest_key(objects.storage, objects.base)
    return folder


@pytest.fixture
def ci(steady_path: Path, applied: Path) -> Iterator[CiProject]:
    with running(steady_path, applied) as project:
        yield project


def plan_objects(ci: CiProject, environment: str) -> PlanObjects:
    project = load(ci.recorded.repo.root)
    env = {"STORAGE_EMULATOR_HOST": ci.recorded.server.url, "INFRA_SANDBOX": "test"}
    ledger = Ledgers(project, States(project, env), env).of(project.of(environment)[0])
    return PlanObjects(ledger.storage, environment, ledger.folder)


def test_jobs_plan_and_one_job_publishes(ci: CiProject, tmp_path: Path) -> None:
    """A job an environment without rights on GitHub, then one with no account in the cloud."""
    grant_plan_accounts(ci, "dev", "prod")
    before = ci.objects("")
    number = ci.change({NET: TWO, "infra/envs/prod/net/main.tf": TWO})
    for name in ("dev", "prod"):
        ci.job(number, environment=name, rights={})(
            "ci", "plan", "--env", name, "--report", str(tmp_path / "r" / name), code=0
        )
    head = ci.github.head(number)
    object_names = {f"{name}/plans/{number}/{head}/net/4242-1.json" for name in ("dev", "prod")}
    after = ci.objects("")
    assert after.keys() - before.keys() == object_names | {f"dev/plans/{number}/{head}/app/4242-1.json"}
    assert {name: after[name] for name in before} == before

    job = ci.job(number)
    document = job("ci", "comment", str(tmp_path / "r"), "--json", code=0).document
    check_schema(document, "ci-plan")
    assert document["comment"] == "created"
    body = ci.body(number)
    assert body.startswith("<!-- infra:plan -->\n")
    assert '!       input  = "one" -> "two"' in body
    assert "`dev/net`" in body
    assert "`prod/net`" in body
    assert ci.conclusions(number) == {"infra/dev": "success", "infra/prod": "success"}
    assert '"one" -> "two"' in Path(job.env["GITHUB_STEP_SUMMARY"]).read_text()


def attested(ci: CiProject, number: int, environment: str) -> Attestation:
    """The newest attestation of a pull request's head."""
    stored = Attestations.beside(plan_objects(ci, environment))
    return stored.of_head(number, ci.github.head(number))[-1]


def test_what_reviewers_saw_is_attested(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    ci.job(number)("ci", "plan", code=0)
    head = ci.github.head(number)
    attestation = attested(ci, number, "dev")
    assert (attestation.run, attestation.plan_run, attestation.problem) == ("4242-1", "4242-1", "")
    objects = plan_objects(ci, "dev").of_run(number, head, attestation.plan_run)
    assert attestation.plans == {name: sha256(data) for name, data in objects.items()}
    digests = {name: decode(data) for name, data in objects.items()}
    assert [resource.address for resource in digests["dev/net"].resources] == ["terraform_data.x"]
    assert digests["dev/net"].provisional == ()
    assert digests["dev/app"].is_empty
    assert digests["dev/app"].provisional == ("dev/net",)
    assert "may still change" in ci.body(number)


def test_telling_it_again_sends_nothing_new(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    job = ci.job(number)
    job("ci", "plan", code=0)
    again = ci.job(number, GITHUB_RUN_ID="4242")
    assert again("ci", "plan", "--json", code=0).document["comment"] == "unchanged"
    assert [write for write in ci.github.writes() if "/comments" in write[1]] == [
        ("POST", f"/repos/acme/infra/issues/{number}/comments", 201)
    ]


def test_a_stack_that_fails_does_not_hide_the_others(ci: CiProject) -> None:
    number = ci.change({NET: BROKEN, "infra/envs/prod/net/main.tf": TWO})
    ci.job(number)("ci", "plan", code=1)
    body = ci.body(number)
    assert "missing" in body
    assert '"one" -> "two"' in body
    assert ci.conclusions(number) == {"infra/dev": "failure", "infra/prod": "success"}
    (check,) = ci.github.checks(ci.github.head(number), "infra/dev")
    assert [(annotation["path"], annotation["start_line"]) for annotation in check.annotations] == [(NET, 14)]


def test_what_no_job_reported_is_not_planned(ci: CiProject, tmp_path: Path) -> None:
    number = ci.change({NET: TWO, "infra/envs/dev/app/main.tf": DEPENDENT.replace('"y"', '"z"', 1)})
    parts = json.loads(ci.job(number)("affected", "--matrix", "--shards", "2", code=0).out)["include"]
    assert [(part["shard"], part["stacks"]) for part in parts] in (
        [("1/2:timed", "dev/net"), ("2/2:timed", "dev/app")],
        [("1/2:timed", "dev/app"), ("2/2:timed", "dev/net")],
    )
    lost, finished = parts
    ci.job(number, INFRA_STACKS=finished["stacks"])(
        "ci", "plan", "--env", "dev", "--shard", finished["shard"], "--report", str(tmp_path / "r"), code=0
    )
    ci.job(number)("ci", "comment", str(tmp_path / "r"), code=0)
    assert "not planned" in ci.body(number)
    assert lost["stacks"] in ci.body(number)
    assert ci.conclusions(number)["infra/dev"] == "failure"
    assert attested(ci, number, "dev").plans == {}


def test_without_a_key_the_plan_is_shown_and_its_approval_does_not_count(
    ci: CiProject, tmp_path: Path
) -> None:
    objects = plan_objects(ci, "dev")
    objects.storage.delete("dev/ledger/digest.key")
    grant_plan_accounts(ci, "dev")
    number = ci.change({NET: TWO})
    report = str(tmp_path / "r")
    ci.job(number, environment="dev", rights={})("ci", "plan", "--env", "dev", "--report", report, code=0)
    ci.job(number)("ci", "comment", report, code=0)
    assert "An approval of dev cannot count" in ci.body(number)
    assert not [name for name in ci.objects("dev/plans/") if "/net/" in name]


def test_only_documents_change(ci: CiProject) -> None:
    number = ci.change({"README.md": "Words.\n"})
    document = ci.job(number)("ci", "plan", "--json", code=0).document
    assert (document["stacks"], document["comment"]) == ([], "none")
    assert ci.github.comments(number) == []
    assert ci.conclusions(number) == {"infra/dev": "success", "infra/prod": "success"}


def test_what_no_longer_affects_anything_reports_it(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    ci.job(number)("ci", "plan", code=0)
    ci.github.commit("feature", {NET: UPSTREAM}, "Take it back")
    assert ci.job(number)("ci", "plan", "--json", code=0).document["comment"] == "updated"
    assert "No stack is affected" in ci.body(number)


def test_an_empty_pull_request(ci: CiProject) -> None:
    number = ci.change({})
    assert ci.job(number)("ci", "plan", "--json", code=0).document["stacks"] == []
    assert ci.github.comments(number) == []


def test_a_branch_behind_trunk_is_planned_as_it_will_be_merged(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    trunk = ci.github.commit("main", {NET: UPSTREAM.replace("why", "because")}, "Meanwhile")
    job = ci.job(number)
    document = job("ci", "plan", "--json", code=0).document
    assert (document["base"], document["commit"]) == (trunk, job.env["GITHUB_SHA"])
    assert document["head"] == ci.github.head(number) != document["commit"]
    net = next(stack for stack in document["stacks"] if stack["id"] == "dev/net")
    assert net["outputs"] == ["x", "y"]
    assert [change["address"] for change in net["changes"]] == ["terraform_data.x"]


def test_a_checkout_of_the_head_itself_is_noticed(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    ci.github.commit("main", {"README.md": "Words.\n"}, "Meanwhile")
    job = ci.job(number, commit=ci.github.head(number))
    document = job("ci", "plan", "--json", code=0).document
    assert "the branch alone, which is behind trunk" in document["notes"][0]
    assert "behind trunk" in ci.body(number)


def test_another_commit_is_refused(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    ran = ci.job(number, commit=ci.github.trunk)("ci", "plan", code=3)
    assert "nor that head itself" in ran.err
    assert ci.github.comments(number) == []


def test_an_error_names_what_a_shallow_clone_lacks(ci: CiProject, tmp_path: Path) -> None:
    number = ci.change({NET: TWO})
    job = ci.job(number)
    shallow = tmp_path / "shallow"
    sha = job.env["GITHUB_SHA"]
    Repo(shallow).git("fetch", "-q", "--depth=1", f"file://{ci.github.bare}", f"refs/pull/{number}/merge")
    Repo(shallow).git("checkout", "-q", sha)
    error = Infra(shallow, job.env)("ci", "plan", code=3).err
    assert error.startswith("error: The clone is shallow.")
    assert "fetch-depth: 0" in error


def test_a_fork_gets_nothing(ci: CiProject, tmp_path: Path) -> None:
    ci.is_init_kept = False
    number = ci.change({NET: TWO})
    job = ci.job(number)
    event = json.loads(Path(job.env["GITHUB_EVENT_PATH"]).read_text())
    event["pull_request"]["head"]["repo"] = {"full_name": "mallory/infra"}
    forged = tmp_path / "event.json"
    forged.write_text(json.dumps(event))
    before = ci.github.writes()
    for words in (("plan",), ("comment", "--started"), ("comment", str(tmp_path))):
        ran = Infra(job.root, {**job.env, "GITHUB_EVENT_PATH": str(forged)})("ci", *words, code=0)
        assert "fork" in ran.out
        document = Infra(job.root, {**job.env, "GITHUB_EVENT_PATH": str(forged)})(
            "ci", *words, "--json"
        ).document
        check_schema(document, "ci-plan")
        assert document["stacks"] == []
    assert ci.github.writes() == before
    assert not (job.root / ".infra" / "data").exists()


def test_a_rehearsal_needs_no_token_and_writes_nothing(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    before = ci.objects("")
    root = ci.checkout(ci.github.head(number))
    env = {"STORAGE_EMULATOR_HOST": ci.recorded.server.url, "INFRA_SANDBOX": "test"}
    ran = Infra(root, env)("ci", "plan", "--dry-run", code=0)
    assert '"one" -> "two"' in ran.out
    assert "check infra/dev" in ran.out
    assert ci.objects("") == before
    assert ci.github.requests == []
    assert "--dry-run" in Infra(root, env)("ci", "plan", code=3).err
    for words in (("--dry-run",), ("--report", str(root / "r")), ()):
        check_schema(Infra(root, env)("ci", "plan", "--json", *words).document, "ci-plan")


def test_what_the_guard_refuses_never_reaches_terraform(ci: CiProject) -> None:
    ci.is_init_kept = False
    evil = TWO + 'data "external" "x" {\n  program = ["touch", "/tmp/owned"]\n}\n'
    number = ci.change({NET: evil})
    job = ci.job(number)
    job("ci", "plan", code=4)
    assert not (job.root / ".infra" / "data").exists()
    assert ci.conclusions(number)["infra/dev"] == "failure"
    (check,) = ci.github.checks(ci.github.head(number), "infra/dev")
    assert {(annotation["path"], annotation["start_line"]) for annotation in check.annotations} == {(NET, 13)}
    assert "external" in ci.body(number)


def test_a_newer_head_marks_the_plan_and_an_older_run_reports_nothing(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    late = ci.job(number)
    ci.job(number)("ci", "plan", code=0)
    ci.github.commit("feature", {NET: UPSTREAM.replace("one", "three")}, "Again")
    newer = ci.job(number)
    check_schema(newer("ci", "comment", "--started", "--json", code=0).document, "ci-plan")
    assert "**Outdated:**" in ci.body(number)
    assert late("ci", "plan", "--json", code=0).document["comment"] == "outdated"
    assert "**Outdated:**" in ci.body(number)
    newer("ci", "plan", code=0)
    assert "**Outdated:**" not in ci.body(number)
    assert '"one" -> "three"' in ci.body(number)


def test_texts_of_others_stay_texts(ci: CiProject) -> None:
    title = "<!-- infra:plan --> @acme/admins </details> $(touch /tmp/owned) `x` ```"
    ci.github.commit("a`b</details>@ada", {NET: TWO.replace("two", "</details>\\n```\\n@ada <b>")}, title)
    number = ci.github.open("a`b</details>@ada", title)
    job = ci.job(number)
    job("ci", "plan", code=0)
    body = ci.body(number)
    summary = Path(job.env["GITHUB_STEP_SUMMARY"]).read_text()
    outside = re.sub(r"^(`{3,}).*?^\1$", "", body + summary, flags=re.MULTILINE | re.DOTALL)
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
    assert "@acme/admins" not in outside
    assert "<b>" not in outside
    assert outside.count("<details") == outside.count("</details>")


def test_a_failed_notification_is_reported_elsewhere(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    job = ci.job(number)
    ci.github.fault("*/comments", method="POST", status=403, times=9)
    ran = job("ci", "plan", code=1)
    assert "GitHub could not be updated" in ran.err
    assert "could not be told" in Path(job.env["GITHUB_STEP_SUMMARY"]).read_text()
    assert ci.conclusions(number)["infra/dev"] == "success"


def test_a_token_that_may_not_post_checks_sets_statuses(ci: CiProject) -> None:
    number = ci.change({NET: TWO})
    job = ci.job(number, rights={"pull_requests": "write", "statuses": "write"})
    job("ci", "plan", code=0)
    statuses = ci.github.statuses(ci.github.head(number))
    assert {name: status.state for name, status in statuses.items()} == {
        "infra/dev": "success",
        "infra/prod": "success",
    }


def test_a_deleted_stack_is_planned_with_its_old_code(ci: CiProject) -> None:
    number = ci.change({"infra/envs/dev/app/main.tf": None})
    document = ci.job(number)("ci", "plan", "--json", code=0).document
    (stack,) = document["stacks"]
    assert (stack["id"], stack["change"], stack["counts"]["delete"]) == ("dev/app", "deleted", 1)
    assert "destroy" in ci.body(number)
    assert ci.objects("dev/plans/") == {}


def test_a_deleted_stack_that_the_merge_destroys_is_approved_like_any_other(ci: CiProject) -> None:
    ci.github.commit("main", {"infra.yaml": CONFIG + "policy: {deleted_stacks: destroy}\n"}, "Rules")
    number = ci.change({"infra/envs/dev/app/main.tf": None})
    ci.job(number)("ci", "plan", code=0)
    (name,) = ci.objects("dev/plans/")
    data = plan_objects(ci, "dev").of_run(number, ci.github.head(number), "4242-1")["dev/app"]
    assert name.endswith("/app/4242-1.json")
    assert [resource.actions for resource in decode(data).resources] == [("delete",)]


def test_a_renamed_stack_is_not_destroyed(ci: CiProject) -> None:
    config = "version: 1\nbackend:\n  gcs: {bucket: states}\nstacks:\n  dev/web: {moved: dev/app}\n"
    number = ci.change(
        {"infra/envs/dev/app/main.tf": None, "infra/envs/dev/web/main.tf": DEPENDENT, "infra.yaml": config}
    )
    document = ci.job(number)("ci", "plan", "--json", code=0).document
    assert "dev/app" not in {stack["id"] for stack in document["stacks"]}


def test_a_branch_that_approves_plans_what_is_pending(ci: CiProject) -> None:
    trunk = ci.github.commit("main", {NET: TWO}, "Merged and never applied")
    branch = f"approve/dev/{trunk[:10]}"
    ci.github.commit(branch, {}, "Approve dev")
    number = ci.github.open(branch, "Approve dev")
    parts = json.loads(ci.job(number)("affected", "--matrix", code=0).out)["include"]
    assert [(part["environment"], part["stacks"]) for part in parts] == [("dev", "")]
    document = ci.job(number)("ci", "plan", "--env", "dev", "--json", code=0).document
    assert {stack["id"]: stack["result"] for stack in document["stacks"]}["dev/net"] == "changed"
    assert any(name.endswith("/net/4242-1.json") for name in ci.objects("dev/plans/"))


PROD = "infra/envs/prod/net/main.tf"


def test_a_plan_that_differs_after_the_approval_is_to_be_reviewed_again(ci: CiProject) -> None:
    number = ci.change({PROD: TWO})
    ci.job(number)("ci", "plan", code=0)
    assert ci.conclusions(number)["infra/prod"] == "success"
    ci.github.review(number, "bert")
    ci.job(number, GITHUB_RUN_ATTEMPT="2")("ci", "plan", code=0)
    assert ci.conclusions(number)["infra/prod"] == "success"

    ci.recorded.repo.commit({PROD: UPSTREAM.replace("one", "by hand")})
    ci.recorded.apply("prod/net")
    ci.job(number, GITHUB_RUN_ATTEMPT="3")("ci", "plan", code=0)
    assert ci.conclusions(number)["infra/prod"] == "neutral"
    newest = ci.github.checks(ci.github.head(number), "infra/prod")[-1]
    assert "Review again" in newest.title
    ci.job(number, GITHUB_RUN_ATTEMPT="4")("ci", "plan", code=0)
    assert ci.conclusions(number)["infra/prod"] == "neutral"
    ci.github.review(number, "bert")
    ci.job(number, GITHUB_RUN_ATTEMPT="5")("ci", "plan", code=0)
    assert ci.conclusions(number)["infra/prod"] == "success"


def test_a_pull_request_cannot_loosen_its_own_rules(ci: CiProject) -> None:
    """Binary, variables, protection and policy are trunk's, whatever its own infra.yaml says."""
    text = UPSTREAM.replace('resource "terraform_data" "x"', 'resource "terraform_data" "z"').replace(
        "terraform_data.x.", "terraform_data.z."
    )
    config = """
version: 1
backend:
  gcs: {bucket: states}
terraform: {binary: ./evil}
environments:
  dev: {env: [GITHUB_TOKEN]}
  prod: {protected: false}
policy: {destroy: {prod: allow}}
"""
    number = ci.change({"infra.yaml": config, PROD: text, "evil": "#!/bin/sh\ntouch /tmp/infra-evil\n"})
    document = ci.job(number)("ci", "plan", "--json", code=4).document
    assert "allow-destroy" in ci.body(number)
    assert any("GITHUB_TOKEN" in note for note in document["notes"])
    assert any("terraform.binary" in note for note in document["notes"])
    assert not Path("/tmp/infra-evil").exists()


def test_limits_hold_for_the_whole_change(ci: CiProject) -> None:
    ci.github.commit("main", {"infra.yaml": CONFIG + "policy: {limits: {stacks: 1}}\n"}, "Limits")
    number = ci.change({NET: TWO, "infra/envs/dev/app/main.tf": DEPENDENT.replace('"y"', '"z"', 1)})
    ci.job(number)("ci", "plan", code=4)
    assert "touches 2 stacks in dev; 1 is the limit" in ci.body(number)
    assert ci.conclusions(number)["infra/dev"] == "failure"


def test_a_merge_queue_compares_before_the_merge(ci: CiProject) -> None:
    number = ci.change({PROD: TWO})
    ci.job(number)("ci", "plan", code=0)
    ci.github.review(number, "bert")
    group = ci.github.queue(number)

    def queued() -> dict[str, str]:
        event = str(ci.github.event_file("merge_group", merge_group=group))
        job = ci.job(
            0,
            event="merge_group",
            commit=group["head_sha"],
            GITHUB_EVENT_PATH=event,
            GITHUB_SHA=group["head_sha"],
        )
        job("ci", "plan")
        return {check.name: check.conclusion or "" for check in ci.github.checks(group["head_sha"])}

    assert queued() == {"infra/dev": "success", "infra/prod": "success"}
    assert len(ci.github.comments(number)) == 1
    storage, name = plan_objects(ci, "prod").storage, "prod/state/net/default.tfstate"
    state = storage.read(name)
    assert state
    storage.write(name, json.dumps({**json.loads(state.data), "resources": []}).encode())
    assert queued() == {"infra/dev": "success", "infra/prod": "failure"}


def test_one_stack_alone_is_planned_when_a_person_requests_it(ci: CiProject, tmp_path: Path) -> None:
    number = ci.change({NET: TWO, PROD: TWO})
    job = ci.job(number, INFRA_STACK="dev/net")
    job("ci", "plan", "--report", str(tmp_path / "r"), code=0)
    job("ci", "comment", str(tmp_path / "r"), code=0)
    assert "prod/net" not in ci.body(number)
    assert ci.conclusions(number) == {}


def test_a_circle_does_not_hide_the_others(ci: CiProject) -> None:
    circle = DEPENDENT.replace("dev/state/net", "dev/state/app")
    number = ci.change({NET: circle, PROD: TWO})
    document = ci.job(number)("ci", "plan", "--json").document
    results = {stack["id"]: stack["result"] for stack in document["stacks"]}
    assert results == {"dev/net": "failed", "prod/net": "changed"}
    assert "wait for each other" in ci.body(number)
    assert ci.conclusions(number) == {"infra/dev": "failure", "infra/prod": "success"}


def by_hand(ci: CiProject, merge: str, event: str, commit: str, ref: str = "refs/heads/feature") -> Infra:
    """A job of a run that was started by hand: on a branch at a commit, with a merge checked out."""
    return ci.job(
        0,
        event="workflow_dispatch",
        commit=merge,
        GITHUB_EVENT_PATH=event,
        GITHUB_SHA=commit,
        GITHUB_REF=ref,
    )


def test_a_plan_that_a_comment_requested(ci: CiProject) -> None:
    """The event is a dispatch: title, author and labels come from GitHub, head and number from the inputs."""
    number = ci.change({NET: TWO}, title="Raise it to two")
    head = ci.github.head(number)
    merge = ci.job(number).env["GITHUB_SHA"]
    inputs = {"pull_request": str(number), "head": head}
    event = str(ci.github.event_file("workflow_dispatch", inputs=inputs))
    job = by_hand(ci, merge, event, head)
    job("ci", "plan", code=0)
    assert '"one" -> "two"' in ci.body(number)
    assert "Raise it to two" in Path(job.env["GITHUB_STEP_SUMMARY"]).read_text()
    ci.github.commit("feature", {"README.md": "More.\n"}, "Pushed meanwhile")
    moved = ci.job(number).env["GITHUB_SHA"]
    late = by_hand(ci, moved, event, head)
    assert "pushed meanwhile" in late("ci", "plan", code=3).err


def test_a_plan_that_was_started_by_hand_runs_on_its_own_branch(ci: CiProject) -> None:
    """On trunk's ref it would pass for trunk elsewhere; another branch's head is not what is planned."""
    number = ci.change({NET: TWO})
    head, merge = ci.github.head(number), ci.job(number).env["GITHUB_SHA"]
    ci.github.commit("other", {"README.md": "More.\n"}, "Other")
    inputs = {"pull_request": str(number), "head": head}
    event = str(ci.github.event_file("workflow_dispatch", inputs=inputs))
    for ref, commit in (
        ("refs/heads/main", head),
        ("refs/heads/main", ci.github.trunk),
        ("refs/heads/other", ci.github.branches()["other"]),
        (f"refs/pull/{number}/merge", head),
    ):
        job = by_hand(ci, merge, event, commit, ref)
        assert f"branch of #{number}" in job("ci", "plan", "--dry-run", code=3).err, (ref, commit)
    assert ci.github.comments(number) == []


def test_a_pull_request_into_another_branch_is_not_planned(ci: CiProject) -> None:
    """The rules are those of what it is merged into, and this branch is anybody's."""
    ci.github.commit("loose", {"infra.yaml": CONFIG + "guard: {allow: []}\n"})
    ci.github.commit("feature", {NET: TWO}, base="loose")
    number = ci.github.open("feature", "Raise it", base="loose")
    inputs = {"pull_request": str(number), "head": ci.github.head(number)}
    event = str(ci.github.event_file("workflow_dispatch", inputs=inputs))
    merge = ci.job(number).env["GITHUB_SHA"]
    head = ci.github.head(number)
    job = by_hand(ci, merge, event, head)
    ran = job("ci", "plan", code=3)
    assert f"#{number} is not to be merged into main" in ran.err
    assert ci.github.comments(number) == []
    # Nor where the event is of another pull request of the same head, which does go to trunk.
    other = ci.github.open("feature", "Raise it")
    disguised = ci.job(other, commit=merge)
    assert f"#{other} is not to be merged into main" in disguised("ci", "plan", code=3).err
    # Nor by a workflow of its own that its event starts.
    before = ci.github.writes()
    own = ci.job(number, commit=merge)
    for trunk in ({}, {"INFRA_TRUNK": "main"}):
        infra = Infra(own.root, {**own.env, **trunk})
        for words in (("plan",), ("comment", "--started"), ("comment", "reports")):
            assert f"#{number} is to be merged into loose, not into main" in infra("ci", *words, code=0).out
    assert ci.github.writes() == before
    # What is asked for without a head is none.
    event_file = str(ci.github.event_file("workflow_dispatch", inputs={**inputs, "head": ""}))
    job = by_hand(ci, merge, event_file, head)
    assert "its head is missing" in job("ci", "plan", "--dry-run", code=3).err


def test_parts_of_two_attempts_are_not_attested_together(ci: CiProject, tmp_path: Path) -> None:
    number = ci.change({NET: TWO, "infra/envs/dev/app/main.tf": DEPENDENT.replace('"y"', '"z"', 1)})
    for attempt, stack in (("1", "dev/net"), ("2", "dev/app")):
        job = ci.job(number, GITHUB_RUN_ATTEMPT=attempt, INFRA_STACKS=stack)
        words = ("--env", "dev", "--shard", f"{attempt}/2", "--report", str(tmp_path / "r"))
        job("ci", "plan", *words, code=0)
    ci.job(number, GITHUB_RUN_ATTEMPT="2")("ci", "comment", str(tmp_path / "r"), code=0)
    assert "re-run all jobs" in ci.body(number)
    assert attested(ci, number, "dev").plans == {}


def test_a_report_about_another_head_is_left_out(ci: CiProject, tmp_path: Path) -> None:
    number = ci.change({NET: TWO})
    ci.job(number)("ci", "plan", "--report", str(tmp_path / "r"), code=0)
    ci.github.commit("feature", {NET: UPSTREAM.replace("one", "three")}, "Again")
    ci.job(number)("ci", "comment", str(tmp_path / "r"), code=0)
    assert "left out" in ci.body(number)
    assert ci.conclusions(number)["infra/dev"] == "failure"


def test_only_our_own_comment_is_ours_and_there_is_one(ci: CiProject) -> None:
    """A copied marker is somebody's text; of two that two jobs wrote at once the older one stays."""
    number = ci.change({NET: TWO})
    ci.github.comment(number, "ada", "<!-- infra:plan -->\nForged.")
    for _ in range(2):
        ci.github.comment(number, BOT, "<!-- infra:plan -->\nOurs.")
    ci.job(number)("ci", "plan", code=0)
    forged, comment = ci.github.comments(number)
    assert (forged.author, forged.body) == ("ada", "<!-- infra:plan -->\nForged.")
    assert comment.author == BOT
    assert '"one" -> "two"' in comment.body


def test_a_push_without_a_review_is_only_rehearsed(ci: CiProject, tmp_path: Path) -> None:
    ci.github.commit("main", {NET: TWO}, "Straight to trunk")
    job = ci.job(0, event="push")
    assert "no pull request to comment on" in job("ci", "plan", code=3).err
    job("ci", "plan", "--report", str(tmp_path / "r"), "--base", "HEAD~1", code=0)
    assert ci.objects("dev/plans/") == {}
