"""The workflows that ship: linted, held to the rules of docs/security.md, and run by act."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support.repo import Repo
from tests.support.workflows import SOURCE, Workflows, read_yaml, tool, variable_of

ROOT = Path(__file__).resolve().parents[2]
TARGET = WorkflowTarget("example/infrastructure", "main", ("dev", "staging", "prod"))
FILES = render(TARGET, SOURCE)
WRITES = ("checks", "statuses", "pull-requests", "contents")

# An `infra` that notes what it was asked, and answers as the test says: what is tested here is the workflows.
RECORDER = """\
#!{python}
import json, os, sys
from pathlib import Path
asked = " ".join(sys.argv[1:])
kept = ("GITHUB_JOB", "GITHUB_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN", "STANDIN_ACCOUNT", "SHARD")
kept += ("ACTIONS_ID_TOKEN_REQUEST_TOKEN",)
note = {{"asked": asked, **{{name: os.environ.get(name, "") for name in kept}}}}
with open({log!r}, "a") as file:
    file.write(json.dumps(note) + "\\n")
answers = json.loads(Path({answers!r}).read_text())
for start, answer in answers.items():
    if asked.startswith(start):
        sys.stdout.write(answer.get("stdout", ""))
        if "output" in answer:
            with open(os.environ["GITHUB_OUTPUT"], "a") as file:
                file.write(answer["output"])
        for name, text in answer.get("files", {{}}).items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text)
        sys.exit(answer.get("code", 0))
"""


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every job of every workflow: file, id, content."""
    for path, text in FILES.items():
        for name, job in read_yaml(text)["jobs"].items():
            yield path, name, job


def runs(job: Mapping[str, Any]) -> str:
    """All that a job runs."""
    return "\n".join(step.get("run", "") for step in job.get("steps", []))


# What is written in them


def test_the_repository_has_them_as_init_writes_them() -> None:
    """Otherwise this repository would run other workflows than the ones that are tested."""
    assert {path: (ROOT / path).read_text() for path in FILES} == dict(FILES)


def test_nothing_is_allowed_unless_a_job_declares_it() -> None:
    """`permissions: {}` on top, and in each job what it needs."""
    for text in FILES.values():
        assert read_yaml(text)["permissions"] == {}
    for path, name, job in jobs():
        assert "permissions" in job, f"{path}: {name}"


def test_actions_are_named_by_commit() -> None:
    """A tag can be moved; only our own workflow at trunk goes by a branch, which is what Google trusts."""
    for path, text in FILES.items():
        for used in re.findall(r"\buses: (\S+)", text):
            match = re.fullmatch(r"example/infrastructure/\.github/workflows/infra-[a-z-]+\.yml@main", used)
            assert match or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), f"{path}: {used}"


def test_no_script_has_somebody_elses_text_in_it() -> None:
    """What an event says reaches a script by its environment only."""
    for path, name, job in jobs():
        assert "${{" not in runs(job), f"{path}: {name}"


def test_whoever_runs_terraform_writes_nothing_on_github() -> None:
    """Whoever writes there runs no Terraform and becomes no account, but for the one that attests."""
    for path, name, job in jobs():
        terraform = re.search(r"infra (ci (plan|compare|apply|finalize)|drift|unlock)\b", runs(job))
        allowed = {key for key, value in job["permissions"].items() if value == "write"}
        if terraform:
            assert allowed <= {"id-token"}, f"{path}: {name}"
        elif "steps" in job and name != "attest":
            assert "id-token" not in allowed, f"{path}: {name}"


def test_each_account_has_a_workflow_of_its_own() -> None:
    """Google trusts files: what one environment's file runs is that environment's, and one job attests."""
    with_tokens = {
        path.rpartition("/")[2]: {line for line in runs(job).splitlines() if "ci account" in line}
        for path, _, job in jobs()
        if "steps" in job and "id-token" in job["permissions"] and "apply" not in path
    }
    assert set(with_tokens) == {"infra-attest.yml"} | {
        f"infra-{use}-{name}.yml" for use in ("plan", "drift") for name in TARGET.environments
    }
    for file, commands in with_tokens.items():
        own = re.match(r"infra-(\w+)(?:-(\w+))?\.yml", file)
        assert own
        expected_start = f"infra ci account {own[2]} {own[1]}" if own[2] else "infra ci account attest --base"
        assert all(line.startswith(expected_start) for line in commands), file


LEVELS = ("none", "read", "write")


def test_a_caller_may_give_what_every_job_that_it_calls_asks_for() -> None:
    """Otherwise GitHub begins none of them: it looks at this before any condition, and act does not look."""
    for path, name, caller in jobs():
        file = re.search(r"(\.github/workflows/infra-[\w-]+\.yml)@", caller.get("uses", ""))
        for called, job in read_yaml(FILES[file[1]])["jobs"].items() if file else ():
            for what, right in job["permissions"].items():
                permission = caller["permissions"].get(what, "none")
                assert LEVELS.index(right) <= LEVELS.index(permission), (
                    f"{path}: {name} calls {called}: {what}"
                )


def test_code_in_a_plan_cannot_make_itself_tokens() -> None:
    """Plan and drift get one short token and no file; what could mint more is gone from their environment."""
    for path, name, job in jobs():
        if not re.search(r"infra (ci (plan|compare)|drift)\b", runs(job)):
            continue
        auth = next(step for step in job["steps"] if "auth@" in step.get("uses", ""))
        assert auth["with"]["create_credentials_file"] is False, f"{path}: {name}"
        script = next(line for line in runs(job).splitlines() if "exec env" in line)
        assert script.startswith(
            "exec env -u ACTIONS_ID_TOKEN_REQUEST_TOKEN -u ACTIONS_ID_TOKEN_REQUEST_URL infra "
        )


TEAMS_TOKEN = "${{ secrets.INFRA_TEAMS_TOKEN }}"


def test_only_what_compares_and_applies_can_read_the_members_of_teams() -> None:
    """The caller passes the token on by its name; a job that plans a pull request's code never has it."""
    holders = {
        (path.rpartition("/")[2], name)
        for path, name, job in jobs()
        if TEAMS_TOKEN in json.dumps(job) or job.get("secrets") == "inherit"
    }
    names = TARGET.environments
    steps = {(f"infra-plan-{name}.yml", "compare") for name in names}
    steps |= {("infra-apply.yml", f"apply-{name}") for name in names}
    assert holders == steps | {("infra-apply.yml", f"plan-{name}") for name in names}
    for file, name in steps:
        job = read_yaml(FILES[f".github/workflows/{file}"])["jobs"][name]
        (step,) = [step for step in job["steps"] if TEAMS_TOKEN in json.dumps(step)]
        assert re.search(r"infra ci (compare|apply) ", step["run"])


def test_an_apply_gets_the_signal_itself_and_is_finalized() -> None:
    """A cancelled job's signal reaches the step's own process: `exec`, and a step that always follows."""
    for environment in TARGET.environments:
        job = read_yaml(FILES[".github/workflows/infra-apply.yml"])["jobs"][f"apply-{environment}"]
        steps = {step.get("name"): step for step in job["steps"]}
        assert steps["Apply"]["run"].startswith(f"exec infra ci apply {environment}")
        assert steps["Finalize what a cancelled job left running"]["if"] == "always()"
        assert job["environment"] == environment


@pytest.mark.parametrize("shards", [1, 2])
def test_only_applies_of_one_environment_wait_for_each_other(shards: int) -> None:
    """None is cancelled, none is thrown away; a gate that nobody answers holds nobody else back."""
    files = render(replace(TARGET, shards=shards), SOURCE)
    workflow = read_yaml(files[".github/workflows/infra-apply.yml"])
    assert "concurrency" not in workflow
    shard = "1/1" if shards == 1 else "${{ matrix.shard }}"
    assert {name: job["concurrency"] for name, job in workflow["jobs"].items() if "concurrency" in job} == {
        f"apply-{name}": {
            "group": f"infra-apply-{name}-{shard}",
            "cancel-in-progress": False,
            "queue": "max",
        }
        for name in TARGET.environments
    }


def test_each_environment_is_compared_then_held_then_applied() -> None:
    """The approval belongs to the gate's environment, and only where one is due."""
    workflow = read_yaml(FILES[".github/workflows/infra-apply.yml"])["jobs"]
    for name in TARGET.environments:
        compare, gate, apply = (workflow[f"{kind}-{name}"] for kind in ("plan", "gate", "apply"))
        # The first runs in a workflow of its own, whose account reads only.
        assert re.search(rf"/infra-plan-{name}\.yml@main$", compare["uses"])
        assert (gate["needs"], gate["environment"]) == (f"plan-{name}", f"{name}-approval")
        assert f"needs.plan-{name}.outputs.gate == 'true'" in gate["if"]
        assert (gate["permissions"], [set(step) for step in gate["steps"]]) == ({}, [{"run"}])
        assert (apply["needs"], apply["environment"]) == ([f"plan-{name}", f"gate-{name}"], name)
        condition = f"needs.plan-{name}.outputs.gate != 'true' || needs.gate-{name}.result == 'success'"
        assert condition in apply["if"]


def test_who_compares_and_applies_can_ask_for_the_gate() -> None:
    """Without it GitHub answers 403, which refuses everything that nobody approved."""
    for path, name, job in jobs():
        if re.search(r"infra ci (compare|apply (?!.*--drift))", runs(job)):
            assert job["permissions"]["actions"] == "read", f"{path}: {name}"


def test_four_actions_are_used_and_no_more() -> None:
    """What a job fetches besides runs beside its tokens."""
    used = {used.split("@")[0] for text in FILES.values() for used in re.findall(r"\buses: (\S+)", text)}
    assert {name for name in used if "/.github/workflows/" not in name} == {
        "actions/checkout",
        "actions/download-artifact",
        "actions/upload-artifact",
        "google-github-actions/auth",
    }


def test_nothing_starts_with_rights_for_a_stranger() -> None:
    """No pull_request_target, and forks are left out before a job begins, whoever calls it."""
    for text in FILES.values():
        assert "pull_request_target" not in text
    plan = read_yaml(FILES[".github/workflows/infra-plan.yml"])["jobs"]["affected"]
    assert "head.repo.full_name == github.repository" in plan["if"]
    for path, name, job in jobs():
        if name in ("affected", "attest", "plan") and "steps" in job:
            assert "head.repo.full_name == github.repository" in job["if"], f"{path}: {name}"


def test_the_chat_holds_nothing() -> None:
    """No account, no cache, and never the head of a pull request."""
    text = FILES[".github/workflows/infra-chat.yml"]
    assert "id-token" not in text
    assert "cache" not in text.replace("uv pip install --quiet --no-config --no-cache", "")
    assert "ref:" not in text
    # YAML 1.1 reads the key `on` as true.
    assert read_yaml(text)[True] == {"issue_comment": {"types": ["created"]}}


def test_actionlint_has_nothing_to_report() -> None:
    """But for `queue`, which is newer than it."""
    done = subprocess.run(
        [tool("actionlint"), "-ignore", 'unexpected key "queue"', *(str(ROOT / path) for path in FILES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_zizmor_has_nothing_to_report() -> None:
    """It looks for what attackers of workflows look for."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("zizmor"),
            "--offline",
            "-q",
            ROOT / ".github/workflows",
            ROOT / "action.yml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


# What they do


@pytest.fixture
def recorded(tmp_path: Path) -> Workflows:
    """A repository with the workflows, and an `infra` that only notes what it is asked."""
    repo = Repo(tmp_path / "repo", {"README.md": "A project.\n"})
    repo.git("remote", "add", "origin", "https://github.com/example/infrastructure.git")
    programs = tmp_path / "programs"
    programs.mkdir()
    script = RECORDER.format(
        python=sys.executable, log=str(tmp_path / "log"), answers=str(tmp_path / "answers.json")
    )
    (programs / "infra").write_text(script)
    (programs / "infra").chmod(0o755)
    workflows = Workflows(repo.root, tmp_path, programs)
    workflows.write(TARGET.environments)
    repo.commit(message="Workflows")
    return workflows


def recorded_calls(workflows: Workflows, answers: Mapping[str, Any]) -> list[dict[str, str]]:
    """What `infra` was asked so far; first time round, sets its answers."""
    (workflows.folder / "answers.json").write_text(json.dumps(answers))
    log = workflows.folder / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def accounts() -> dict[str, Any]:
    return {"ci account attest": {"stdout": "account=attest@example\n"}} | {
        f"ci account {environment} {use}": {"stdout": f"account={environment}-{use}@example\n"}
        for environment in TARGET.environments
        for use in ("plan", "apply", "drift")
    }


def pending(environment: str, count: int, *, gate: bool = False, checks: bool = False) -> dict[str, Any]:
    due = str(checks).lower()
    output = f"pending={count}\ngate={str(gate).lower()}\nticket=TICKET-{environment}\nchecks_due={due}\n"
    return {f"ci compare {environment}": {"output": output}}


PUSH = {"ref": "refs/heads/main", "repository": {"full_name": TARGET.repository, "default_branch": "main"}}


def applied(workflows: Workflows, answers: Mapping[str, Any], **inputs: str) -> list[str]:
    """The environments that the apply workflow applied to, in order, each with the seal it was given."""
    recorded_calls(workflows, answers)
    done = workflows.run("workflow_dispatch" if inputs else "push", "infra-apply.yml", PUSH, inputs=inputs)
    notes = recorded_calls(workflows, answers)
    assert notes, done.stdout + done.stderr
    words = [note["asked"].split() for note in notes if note["asked"].startswith("ci apply")]
    return [f"{word[2]} {word[word.index('--gate') + 1]}".removesuffix(" --report") for word in words]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (pending("dev", 1) | pending("staging", 1) | pending("prod", 1), ["dev", "staging", "prod"]),
        (pending("dev", 0) | pending("staging", 0) | pending("prod", 2, gate=True), ["prod TICKET-prod"]),
        (pending("dev", 1) | pending("staging", 0) | pending("prod", 1), ["dev", "prod"]),
        (pending("dev", 0) | pending("staging", 0) | pending("prod", 0), []),
        (pending("dev", 1) | pending("staging", 1) | {"ci apply staging": {"code": 1}}, ["dev", "staging"]),
        (pending("dev", 1) | {"ci compare staging": {"code": 1}}, ["dev"]),
        (pending("dev", 0, checks=True) | pending("staging", 0) | pending("prod", 1), ["dev", "prod"]),
        (pending("dev", 0, checks=True) | pending("prod", 1) | {"ci apply dev": {"code": 1}}, ["dev"]),
    ],
    ids=[
        "in order",
        "gate",
        "nothing for one",
        "nothing at all",
        "one fails",
        "one cannot be compared",
        "checks are due",
        "checks that are due fail",
    ],
)
def test_environments_follow_each_other(
    recorded: Workflows, answers: dict[str, Any], expected: list[str]
) -> None:
    """Promotion order, past those with nothing to do, and never past one that went wrong."""
    assert applied(recorded, accounts() | answers) == expected


@pytest.mark.parametrize(
    ("prod", "expected"),
    [
        (pending("prod", 1, gate=True), {"ask-prod"}),
        (pending("prod", 1), set()),
        (pending("prod", 0), set()),
    ],
    ids=["waits for a person", "was approved", "nothing to do"],
)
def test_the_pull_requests_are_reported(
    recorded: Workflows, prod: dict[str, Any], expected: set[str]
) -> None:
    """Before somebody is asked, after an apply, and, to correct earlier merges, where nothing is pending."""
    answers = accounts() | pending("dev", 0) | pending("staging", 0) | prod
    applied(recorded, answers)
    notes = recorded_calls(recorded, answers)
    jobs = {note["GITHUB_JOB"] for note in notes if note["asked"].startswith("ci comment reports")}
    assert jobs == expected | {"tell-dev", "tell-staging", "tell-prod"}


def test_each_job_acts_as_its_own_account(recorded: Workflows) -> None:
    """And the one that compares has a token of an hour, the one that applies none but its credentials."""
    answers = accounts() | pending("dev", 1) | pending("staging", 0) | pending("prod", 0)
    applied(recorded, answers)
    notes = {note["asked"].partition(" --")[0]: note for note in recorded_calls(recorded, answers)}
    assert notes["ci compare dev"]["STANDIN_ACCOUNT"] == "dev-plan@example"
    assert notes["ci compare dev"]["GOOGLE_OAUTH_ACCESS_TOKEN"] == "token-of-dev-plan@example"
    assert notes["ci apply dev"]["STANDIN_ACCOUNT"] == "dev-apply@example"
    assert notes["ci apply dev"]["GOOGLE_OAUTH_ACCESS_TOKEN"] == ""
    assert notes["ci comment reports"]["STANDIN_ACCOUNT"] == ""
    assert [note["asked"] for note in recorded_calls(recorded, answers)].count(
        "ci finalize --limit 4m --report report"
    ) == 1


def test_an_environment_is_applied_by_several_jobs_and_reported_once(recorded: Workflows) -> None:
    """`infra init --apply-shards 2`: each job has its part, and all have what the gate approved."""
    recorded.write(TARGET.environments, shards=2)
    answers = accounts() | pending("dev", 1, gate=True) | pending("staging", 0) | pending("prod", 0)
    applied(recorded, answers)
    calls = [note["asked"] for note in recorded_calls(recorded, answers)]
    assert sorted(call for call in calls if call.startswith("ci apply")) == [
        f"ci apply dev --gate TICKET-dev --report report --shard {part}/2" for part in (1, 2)
    ]
    assert [note["GITHUB_JOB"] for note in recorded_calls(recorded, answers)].count("tell-dev") == 1


def test_one_environment_can_be_requested(recorded: Workflows) -> None:
    """`/infra apply staging` on a merged pull request catches staging up and nothing else."""
    answers = accounts() | pending("dev", 1) | pending("staging", 1) | pending("prod", 1)
    assert applied(recorded, answers, environment="staging") == ["staging"]


def test_an_unlock_does_nothing_else(recorded: Workflows) -> None:
    """It acts as the environment's apply account."""
    answers = accounts()
    applied(recorded, answers, environment="dev", unlock="dev/network")
    notes = [note for note in recorded_calls(recorded, answers) if not note["asked"].startswith("ci account")]
    assert [note["asked"] for note in notes] == ["unlock dev/network --auto-approve"]
    assert notes[0]["STANDIN_ACCOUNT"] == "dev-apply@example"


def test_drift_is_put_right_and_nothing_else_is_done(recorded: Workflows) -> None:
    """As the environment's apply account; the issues are told by a job that has none, however it ended."""
    answers = accounts() | pending("dev", 1) | {"ci apply dev --drift": {"code": 4}}
    recorded_calls(recorded, answers)
    recorded.run(
        "workflow_dispatch", "infra-apply.yml", PUSH, inputs={"environment": "dev", "drift": "d" * 64}
    )
    notes = [note for note in recorded_calls(recorded, answers) if not note["asked"].startswith("ci account")]
    assert [(note["asked"], note["STANDIN_ACCOUNT"]) for note in notes] == [
        (f"ci apply dev --drift {'d' * 64} --report report", "dev-apply@example"),
        ("ci finalize --limit 4m", "dev-apply@example"),
        ("ci drift reports --remediated", ""),
    ]


def pull_request(fork: str = TARGET.repository, into: str = "main") -> dict[str, Any]:
    head = {"sha": "0" * 40, "ref": "change", "repo": {"full_name": fork}}
    base = {"sha": "1" * 40, "ref": into}
    return {
        "action": "opened",
        "number": 7,
        "pull_request": {"number": 7, "head": head, "base": base},
        "repository": PUSH["repository"],
    }


def affected(**shards: int) -> dict[str, Any]:
    """What `infra affected --matrix` answers: so many jobs in each environment."""
    parts = {
        name: [{"environment": name, "shard": f"{part}/{count}"} for part in range(1, count + 1)]
        for name, count in shards.items()
    }
    whole = json.dumps({"include": [row for each in parts.values() for row in each]})
    output = "".join(f"shards-{name}={json.dumps({'include': each})}\n" for name, each in parts.items())
    return {"affected --matrix": {"stdout": whole, "output": output}}


def test_a_pull_request_is_planned_in_shards_and_attested_once(recorded: Workflows) -> None:
    """One job a shard, with the token of its environment's plan account and none of GitHub's."""
    answers = accounts() | affected(dev=2, prod=1)
    recorded_calls(recorded, answers)
    done = recorded.run("pull_request", "infra-plan.yml", pull_request())
    notes = recorded_calls(recorded, answers)
    plans = [note for note in notes if note["asked"].startswith("ci plan")]
    assert sorted((note["GOOGLE_OAUTH_ACCESS_TOKEN"], note["SHARD"]) for note in plans) == [
        ("token-of-dev-plan@example", "1/2"),
        ("token-of-dev-plan@example", "2/2"),
        ("token-of-prod-plan@example", "1/1"),
    ], done.stdout
    assert {note["asked"].split(" --shard")[0] for note in plans} == {
        "ci plan --env dev",
        "ci plan --env prod",
    }
    assert {note["GITHUB_TOKEN"] for note in plans} == {""}
    (attest,) = [note for note in notes if note["asked"] == "ci comment reports"]
    assert notes[-1] is attest
    assert attest["GOOGLE_OAUTH_ACCESS_TOKEN"] == "token-of-attest@example"
    assert (attest["GITHUB_JOB"], attest["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]) == ("attest", "")


def test_report_hooks_run_apart_and_before_the_comment(recorded: Workflows) -> None:
    """Neither code of trunk nor code of the pull request gets a token; that of trunk is uploaded first."""
    recorded.write(TARGET.environments, reports=True)
    reports = {
        f"ci report --input input --plans plans --code {code}": {
            "files": {f"report-{code}/{code}.json": code}
        }
        for code in ("base", "head")
    }
    pack = {"output": "reports=true\n", "files": {"report-input/settings": "packed"}}
    answers = accounts() | affected(dev=1) | {"ci report --pack": pack} | reports
    recorded_calls(recorded, answers)
    done = recorded.run("pull_request", "infra-plan.yml", pull_request())
    notes = [note for note in recorded_calls(recorded, answers) if note["asked"].startswith("ci ")]
    calls = [" ".join(note["asked"].split()[1:3]) for note in notes]
    report = "report --input"
    assert calls[-4:] == [report, report, "account attest", "comment reports"], done.stdout
    assert [note["asked"].split()[-1] for note in notes[-4:-2]] == ["report-base", "report-head"]
    for note in notes[-4:-2]:
        assert {note[name] for name in note if name not in ("asked", "GITHUB_JOB")} == {""}
    assert (recorded.artifacts / "report-input/settings").read_text() == "packed"
    for code in ("base", "head"):
        assert (recorded.artifacts / f"infra-report-{code}/{code}.json").read_text() == code


@pytest.mark.parametrize(
    ("guard", "lints"), [({"code": 0}, True), ({"code": 4}, False), ({"code": 1}, None)], ids=str
)
def test_findings_go_to_code_scanning(recorded: Workflows, guard: dict[str, Any], lints: bool | None) -> None:
    """Lint runs providers, so only after a guard without findings; a guard that fails uploads nothing."""
    recorded.write(TARGET.environments, sarif=True)
    answers = {
        "guard": {"stdout": "by guard", **guard},
        "lint": {"code": 1, "files": {"findings/lint.sarif": "by lint"}},
    }
    recorded_calls(recorded, answers)
    done = recorded.run("pull_request", "infra-code-scanning.yml", pull_request())
    calls = [note["asked"] for note in recorded_calls(recorded, answers)]
    assert calls[0] == f"guard --base {'1' * 40} --format sarif **", done.stdout
    assert calls[1:] == (["lint --sarif findings/lint.sarif"] if lints else [])
    uploaded = {path.name: path.read_text() for path in recorded.artifacts.glob("uploaded-*")}
    texts = {} if lints is None else {"uploaded-infra-guard": "by guard"}
    assert uploaded == texts | ({"uploaded-infra-lint": "by lint"} if lints else {}), done.stdout


def test_a_pull_request_that_affects_nothing_is_still_reported(recorded: Workflows) -> None:
    """There may be a comment from before."""
    answers = accounts() | {"affected --matrix": {"stdout": '{"include": []}'}}
    recorded_calls(recorded, answers)
    recorded.run("pull_request", "infra-plan.yml", pull_request())
    calls = [note["asked"].split(" --base")[0] for note in recorded_calls(recorded, answers)]
    assert calls == ["affected --matrix", "ci comment --started", "ci account attest", "ci comment reports"]


def test_a_failed_plan_is_reported(recorded: Workflows) -> None:
    """Its report goes out, and the comment is written."""
    answers = accounts() | affected(dev=1) | {"ci plan": {"code": 1}}
    recorded_calls(recorded, answers)
    recorded.run("pull_request", "infra-plan.yml", pull_request())
    assert [note["asked"] for note in recorded_calls(recorded, answers)][-1] == "ci comment reports"
    attest = read_yaml(FILES[".github/workflows/infra-plan.yml"])["jobs"]["attest"]
    assert attest["if"] == "${{ !cancelled() && needs.affected.result == 'success' }}"


def test_a_fork_gets_nothing(recorded: Workflows) -> None:
    """No job of ours begins."""
    recorded_calls(recorded, {})
    recorded.run("pull_request", "infra-plan.yml", pull_request(fork="stranger/infrastructure"))
    assert recorded_calls(recorded, {}) == []


def test_a_fork_is_rehearsed_without_an_account(recorded: Workflows) -> None:
    """The job has no identity and no account; other pull requests have real plans instead."""
    recorded.write(TARGET.environments, rehearse=True)
    recorded.tokens = {variable_of("rehearse"): "token-of-the-job"}
    recorded_calls(recorded, {})
    recorded.run("pull_request", "infra-rehearse.yml", pull_request())
    assert recorded_calls(recorded, {}) == []
    done = recorded.run("pull_request", "infra-rehearse.yml", pull_request(fork="stranger/infrastructure"))
    assert done.returncode == 0, done.stdout
    (note,) = recorded_calls(recorded, {})
    assert note.pop("asked").startswith("sandbox rehearse --pages /")
    assert note == dict.fromkeys(note, "") | {"GITHUB_JOB": "rehearse"}


CALLER = """\
name: mine
on: [push, pull_request, workflow_dispatch]
permissions: {{}}
jobs:
{jobs}"""
CALL = """\
  {name}:
    uses: example/infrastructure/.github/workflows/infra-{name}.yml@main
    with: {{{body}}}
    permissions: {{contents: read, id-token: write, issues: read, {rights}}}
"""


def test_only_what_goes_to_trunk_is_planned_attested_or_checked(recorded: Workflows) -> None:
    """Whoever can push a branch can have one with other rules, and workflows that call those at trunk."""
    include = {"include": [{"environment": "prod", "shard": "1/1"}]}
    shards = f"shards: {json.dumps(json.dumps(include))}"
    calls = {"attest": "", "plan-prod": shards, "plan-dev": 'compare: "true"', "drift-prod": ""}
    recorded_calls(recorded, accounts())
    rights = "pull-requests: write, checks: write, statuses: write"
    mine = "".join(CALL.format(name=name, body=call, rights=rights) for name, call in calls.items())
    (recorded.repository / ".github/workflows/mine.yml").write_text(CALLER.format(jobs=mine))
    elsewhere = {**PUSH, "ref": "refs/heads/mine"}
    recorded.run("pull_request", "mine.yml", pull_request(into="mine"))
    recorded.run("pull_request", "mine.yml", pull_request(fork="stranger/infrastructure"))
    recorded.run("push", "mine.yml", elsewhere)
    # What was started by hand on trunk's ref plans no pull request.
    recorded.run("workflow_dispatch", "infra-plan.yml", PUSH, inputs={"pull_request": "7", "head": "0" * 40})
    assert recorded_calls(recorded, accounts()) == []
    recorded.run("push", "mine.yml", PUSH)
    assert sorted(note["asked"].split(" --")[0] for note in recorded_calls(recorded, accounts())) == [
        *("ci account dev plan", "ci account prod drift", "ci compare dev", "drift prod")
    ]


@pytest.mark.parametrize(
    ("body", "on_pull_request", "expected"),
    [
        ("/infra help", True, ["ci chat"]),
        ("I wonder what /infra help does", True, []),
        ("/infra help", False, []),
    ],
)
def test_only_a_command_wakes_the_chat(
    recorded: Workflows, body: str, on_pull_request: bool, expected: list[str]
) -> None:
    """At the start of a comment, on a pull request."""
    issue = {"number": 7, **({"pull_request": {"url": "x"}} if on_pull_request else {})}
    event = {"action": "created", "issue": issue, "comment": {"body": body}, "repository": PUSH["repository"]}
    recorded_calls(recorded, {})
    recorded.run("issue_comment", "infra-chat.yml", event)
    assert [note["asked"] for note in recorded_calls(recorded, {})] == expected


def test_drift_is_looked_for_in_each_environment(recorded: Workflows) -> None:
    """As the drift accounts; issues are written by a job that has none."""
    answers = accounts() | {"drift prod": {"code": 8}}
    recorded_calls(recorded, answers)
    recorded.run("schedule", "infra-drift.yml", {"repository": PUSH["repository"]})
    notes = [note for note in recorded_calls(recorded, answers) if not note["asked"].startswith("ci account")]
    checks = [note for note in notes if note["asked"].startswith("drift ")]
    assert sorted(note["STANDIN_ACCOUNT"] for note in checks) == [
        f"{environment}-drift@example" for environment in sorted(TARGET.environments)
    ]
    assert (notes[-1]["asked"], notes[-1]["STANDIN_ACCOUNT"]) == ("ci drift reports", "")


def test_an_environment_is_checked_for_drift_by_several_jobs_and_reported_once(recorded: Workflows) -> None:
    """`infra init --drift-shards 2`: each job has its part and a report of its own."""
    recorded.write(["dev", "prod"], drift_shards=2)
    answers = accounts()
    recorded_calls(recorded, answers)
    done = recorded.run("schedule", "infra-drift.yml", {"repository": PUSH["repository"]})
    notes = [note for note in recorded_calls(recorded, answers) if not note["asked"].startswith("ci account")]
    checks = [note for note in notes if note["asked"].startswith("drift ")]
    assert sorted((note["STANDIN_ACCOUNT"], note["SHARD"]) for note in checks) == [
        *(("dev-drift@example", "1/2"), ("dev-drift@example", "2/2")),
        *(("prod-drift@example", "1/2"), ("prod-drift@example", "2/2")),
    ], done.stdout
    assert all(f"--budget 50m --shard {note['SHARD']} --report" in note["asked"] for note in checks)
    assert [note["asked"] for note in notes].count("ci drift reports") == 1
    drift = render(replace(TARGET, drift_shards=2), SOURCE)[".github/workflows/infra-drift-prod.yml"]
    assert "name: infra-drift-prod.${{ strategy.job-index }}" in drift
