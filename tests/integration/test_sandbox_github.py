"""The sandbox's GitHub as its users meet it: PyGithub, `infra sandbox github …`, and a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import github as pygithub
import pytest

from orchestrator.sandbox import attach, control
from tests.support.cli import Infra, InfraResult
from tests.support.github import ServedGitHub
from tests.support.repo import Repo
from tests.support.warm import run_warm


def client(github: ServedGitHub, token: str) -> pygithub.Github:
    """PyGithub, which neither waits nor asks again."""
    auth = pygithub.Auth.Token(token)
    return pygithub.Github(
        base_url=github.api_url,
        auth=auth,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def test_pygithub_is_at_home_on_a_pull_request(tmp_path: Path) -> None:
    with ServedGitHub(tmp_path) as github:
        head = github.commit("feature", {"a.tf": "1\n"})
        number = github.open("feature", "Add a")
        token = github.token(pull_requests="write", contents="write", checks="write", statuses="write")
        repository = client(github, token).get_repo(github.repository)
        pull = repository.get_pull(number)
        assert (pull.title, pull.head.sha, pull.mergeable, pull.user.login) == ("Add a", head, True, "ada")
        assert [file.filename for file in pull.get_files()] == ["a.tf"]

        comment = pull.create_issue_comment("First")
        comment.edit("Second")
        comment.create_reaction("eyes")
        assert [issue_comment.body for issue_comment in pull.get_issue_comments()] == ["Second"]
        github.review(number, "bert")
        assert [(review.state, review.commit_id) for review in pull.get_reviews()] == [("APPROVED", head)]

        remark: Any = {
            "path": "a.tf",
            "start_line": 1,
            "end_line": 1,
            "annotation_level": "notice",
            "message": "m",
        }
        check = repository.create_check_run(
            "infra",
            head,
            conclusion="success",
            output={"title": "t", "summary": "s", "annotations": [remark]},
        )
        check.edit(output={"title": "t", "summary": "again"})
        commit = repository.get_commit(head)
        assert [check_run.app.slug for check_run in commit.get_check_runs(filter="all")] == ["github-actions"]
        assert [annotation.message for annotation in check.get_annotations()] == ["m"]
        commit.create_status("success", "http://127.0.0.1/run", "Fine", "infra / dev")
        assert [status.context for status in commit.get_statuses()] == ["infra / dev"]
        assert commit.get_combined_status().state == "success"

        merged = pull.merge(merge_method="squash")
        assert merged.sha == github.trunk
        assert [pull.number for pull in repository.get_commit(merged.sha).get_pulls()] == [number]
        assert [event.event for event in repository.get_issue(number).get_timeline()][-2:] == [
            "merged",
            "closed",
        ]


def test_pygithub_is_at_home_in_a_repository(tmp_path: Path) -> None:
    with ServedGitHub(
        tmp_path, files={".github/workflows/infra-apply.yml": "on: push\n", "A": "a\n"}
    ) as github:
        github.environment("prod-approval", reviewers=["olga"], branches=["main"])
        github.protect(required_status_checks={"strict": True, "contexts": ["infra"]})
        token = github.token(issues="write", contents="write", deployments="write", actions="write")
        repository = client(github, token).get_repo(github.repository)

        issue = repository.create_issue("Drift", body="b", labels=["drift"], assignees=["ada"])
        issue.edit(state="closed", state_reason="completed")
        assert [issue.number for issue in repository.get_issues(state="all", labels=["drift"])] == [
            issue.number
        ]
        deployment = repository.create_deployment(github.trunk, environment="dev", required_contexts=[])
        deployment.create_status("success", description="3 applied")
        assert [status.state for status in deployment.get_statuses()] == ["success"]
        assert repository.get_workflow("infra-apply.yml").create_dispatch("main", {"environment": "prod"})
        assert [dispatche.inputs for dispatche in github.dispatches] == [{"environment": "prod"}]
        assert [environment.name for environment in repository.get_environments()] == ["prod-approval"]
        assert repository.get_collaborator_permission("rita") == "read"
        content = repository.get_contents("A")
        assert not isinstance(content, list)
        assert content.decoded_content == b"a\n"
        repository.create_git_ref("refs/heads/approve/prod", github.trunk)
        assert "approve/prod" in github.branches()

        admin = client(github, github.token("olga"))
        assert admin.get_user().login == "olga"
        protection = admin.get_repo(github.repository).get_branch("main").get_protection()
        assert protection.required_status_checks.contexts == ["infra"]
        with pytest.raises(pygithub.GithubException) as raised:
            client(github, "nonsense").get_repo(github.repository)
        assert raised.value.status == 401


@dataclass(frozen=True)
class Rehearsal:
    """A project with a branch, and the sandbox that is up for it."""

    repo: Repo
    infra: Infra

    @property
    def info(self) -> attach.Info:
        """What the sandbox says of itself."""
        return attach.require(self.repo.root / ".infra/sandbox")

    def ask(self, operation: str, **arguments: Any) -> Any:
        """What its GitHub answers."""
        return control.call_github(self.info, operation, **arguments)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A sandbox that ends with us."""
    pytest.importorskip("grpc")
    repo = Repo(tmp_path_factory.mktemp("rehearsal") / "shop", {"README.md": "A\n", ".gitignore": ".infra\n"})
    repo.git("remote", "add", "origin", "https://github.com/acme/shop.git")
    repo.branch("feature")
    repo.commit({"README.md": "A\nB\n"}, "Say more")
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    subprocess.run(
        [sys.executable, "-m", "orchestrator", "sandbox", "up", "--hold-fd", str(reader)],
        cwd=repo.root,
        pass_fds=[reader],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    os.close(reader)
    yield Rehearsal(repo, Infra(repo.root, {}))
    os.close(writer)


def executed(rehearsal: Rehearsal, *argv: str, env: Mapping[str, str] | None = None) -> InfraResult:
    """`infra` as a process of its own, whose place the command of `exec` takes."""
    ran = run_warm(argv, rehearsal.repo.root, {**os.environ, **(env or {})})
    assert ran.code == 0, ran.err
    return ran


def test_a_pull_request_is_rehearsed(rehearsal: Rehearsal) -> None:
    infra, repo = rehearsal.infra, rehearsal.repo
    opened = infra("sandbox", "github", "open", "--json", code=0).document["github"]
    number = opened["number"]
    assert opened["url"].endswith(f"/acme/shop/pull/{number}")
    head = repo.commit({"README.md": "A\nB\nC\n"}, "And more")

    again = infra("sandbox", "github", "open", "feature", code=0).out
    assert f"#{number} has the new commits" in again
    assert rehearsal.ask("branches", repository="acme/shop")["feature"] == head

    infra("sandbox", "github", "review", str(number), "--approve", "--as", "bert", code=0)
    infra("sandbox", "github", "review", str(number), "--body", "Fine.", code=0)
    status = infra("sandbox", "github", "status", "--json", code=0).document["github"]
    shop = status["repositories"]["acme/shop"]
    assert shop["people"] == {"owner": "admin", "reviewer": "write", "bert": "write"}
    merged = infra("sandbox", "github", "merge", str(number), "--method", "squash", "--json", code=0)
    commit = merged.document["github"]["commit"]

    repo.git("fetch", "-q", shop["git"], "main")
    assert repo.git("log", "-1", "--format=%H %s", "FETCH_HEAD") == f"{commit} Say more (#{number})"
    assert f"#{number}  merged Say more" in infra("sandbox", "github", "status", code=0).out
    url = infra("sandbox", "github", "url", str(number), code=0).out.strip()
    assert url.startswith(attach.url(rehearsal.info.github))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("open", "main"), 3, "from a branch of its own"),
        (("open", "gone"), 1, "git push"),
        (("merge", "99"), 1, "Not Found"),
        (("review", "1"), 3, "needs words"),
    ],
)
def test_what_cannot_be_rehearsed_is_reported(
    rehearsal: Rehearsal, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ran = rehearsal.infra("sandbox", "github", *arguments, code=code)

    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_command_finds_it_and_not_the_real_one(rehearsal: Rehearsal) -> None:
    real = {
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_TOKEN": "ghp_real",
        "GH_TOKEN": "ghp_real",
        "GITHUB_REPOSITORY": "acme/real",
        "GITHUB_RUN_ID": "7",
    }
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    argv = ("sandbox", "exec", "--", sys.executable, "-c", script)
    text = executed(rehearsal, *argv, env=real).out

    assert "ghp_real" not in text
    assert f'"GITHUB_API_URL": "{attach.url(rehearsal.info.github)}"' in text
    assert '"GITHUB_REPOSITORY": "acme/shop"' in text
    assert '"GITHUB_RUN_ID": "7"' in text


def test_a_command_runs_as_the_job_of_an_event(rehearsal: Rehearsal) -> None:
    rehearsal.repo.branch("other")
    head = rehearsal.repo.commit({"other.md": "A\n"}, "Another")
    opened = rehearsal.infra("sandbox", "github", "open", "other", "--json", code=0).document["github"]
    script = "import os; print(open(os.environ['GITHUB_EVENT_PATH']).read(), os.environ['GITHUB_REF'])"
    argv = [
        "sandbox",
        "exec",
        "--event",
        f"pull_request:{opened['number']}",
        "--",
        sys.executable,
        "-c",
        script,
    ]

    text = executed(rehearsal, *argv).out

    assert f'"sha": "{head}"' in text
    assert text.strip().endswith(f"refs/pull/{opened['number']}/merge")
    for event, message in (
        ("push:x", "is no number"),
        ("earthquake", "no event"),
        ("pull_request:77", "Not Found"),
    ):
        ran = rehearsal.infra("sandbox", "exec", "--event", event, "--", "true")
        assert ran.code in (1, 3)
        assert message in ran.err


def test_a_gate_is_set_up_and_approved_later_in_its_run(rehearsal: Rehearsal) -> None:
    infra = rehearsal.infra
    infra("sandbox", "github", "gate", "prod", "--reviewer", "bert", code=0)
    shop = infra("sandbox", "github", "status", "--json", code=0).document["github"]["repositories"][
        "acme/shop"
    ]
    assert shop["environments"] == ["prod-approval"]
    rehearsal.repo.branch("gated")
    infra("sandbox", "github", "open", "gated", code=0)

    def run_of_job(*options: str) -> tuple[str, str]:
        """The run of a job, and what is said before it; the command takes the process of `exec`."""
        script = (sys.executable, "-c", "import os; print(os.environ['GITHUB_RUN_ID'])")
        argv = ("sandbox", "exec", "--event", "push", *options, "--", *script)
        ran = executed(rehearsal, *argv)
        return ran.out.strip(), ran.err

    (run, _), (other, _) = run_of_job(), run_of_job()
    again, error_text = run_of_job("--run", run)
    assert (again == run, other == run) == (True, False)
    assert f"A job of run {run}" in error_text

    refused = infra("sandbox", "github", "gate", "prod", "--run", run, "--as", "mallory")
    assert "mallory is no required reviewer of prod-approval" in refused.err
    infra("sandbox", "github", "gate", "prod", "--run", run, "--as", "bert", code=0)
    for wrong in ((), ("--run", run, "--reviewer", "bert")):
        assert "either set up or approved" in infra("sandbox", "github", "gate", "prod", *wrong, code=3).err
    assert "Add --event push" in infra("sandbox", "exec", "--run", run, "--", "true", code=3).err


def test_its_tokens_are_reported_to_nobody(rehearsal: Rehearsal) -> None:
    ran = rehearsal.infra("sandbox", "status", "--json", code=0)

    assert rehearsal.info.github_token
    assert rehearsal.info.github_token not in ran.out
    assert attach.url(rehearsal.info.github) in ran.out
