"""`infra init`: what it writes, what it leaves alone, and where the workflows install infra from."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.forge import install_source as sources
from orchestrator.forge.github.actions import CHECKOUT
from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support.cli import Infra
from tests.support.repo import Repo

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = f"git+https://github.com/acme/infra@{COMMIT}"
RELEASE = f"infra-orchestrator==1.0.0 --hash=sha256:{'a' * 64}"
ACTION = f"acme/infra@{COMMIT}"
WORKFLOWS = set(
    render(WorkflowTarget("acme/platform", "main", ("dev", "staging", "prod")), sources.parse_source(GIT))
)


@pytest.fixture
def infra(tmp_path: Path) -> Infra:
    """In a clone of `acme/platform` with a stack in each environment."""
    code = {f"infra/envs/{name}/net/main.tf": "locals {}\n" for name in ("dev", "staging", "prod")}
    repo = Repo(tmp_path / "repo", {"README.md": "Platform\n", **code})
    repo.git("remote", "add", "origin", "https://github.com/acme/platform.git")
    return Infra(repo.root, {})


def states(infra: Infra, *argv: str, code: int = 0) -> dict[str, str]:
    document = infra("init", *argv, "--json", code=code).document
    return {file["path"]: file["state"] for file in document["files"]}


@pytest.mark.parametrize("source", [GIT, RELEASE, ACTION])
def test_the_workflows_install_what_from_names(infra: Infra, source: str) -> None:
    """And are as they should be afterwards, also without saying it again."""
    assert set(states(infra, "--from", source)) >= WORKFLOWS
    text = (infra.root / ".github/workflows/infra-chat.yml").read_text()
    assert sources.committed_source(text) == sources.parse_source(source)
    assert set(states(infra, "--check", "--from", source).values()) == {"unchanged"}
    assert set(states(infra, "--check").values()) == {"unchanged"}


def test_without_a_known_source_the_rest_is_written(infra: Infra) -> None:
    """The tests run an editable install: no job can install that."""
    ran = infra("init", code=0)
    assert (infra.root / "infra.yaml").exists()
    assert not (infra.root / ".github/workflows").exists()
    (line,) = [line for line in ran.err.splitlines() if "workflows are left out" in line]
    assert "editable install" in line
    assert "--from git+https://" in line


def test_workflows_that_are_requested_and_cannot_be_pinned_are_an_error(infra: Infra) -> None:
    ran = infra("init", "--workflows", code=3)
    assert "--from" in ran.err
    assert not (infra.root / "infra.yaml").exists()


def test_a_source_that_is_not_fixed_is_an_error(infra: Infra) -> None:
    ran = infra("init", "--from", "infra-orchestrator==1.0", code=3)
    assert "hash" in ran.err


@pytest.mark.parametrize("source", [GIT, RELEASE, ACTION])
def test_a_bots_update_is_no_difference_and_stays(infra: Infra, source: str) -> None:
    """Other commits, versions and hashes of actions, dependencies and infra itself."""
    states(infra, "--from", source)
    for path in (infra.root / ".github/workflows").iterdir():
        text = path.read_text().replace("# v5.0.0", "# v6.1.0").replace("08c6903cd8c0", "18c6903cd8c0")
        text = (
            text.replace("click==8.", "click==9.").replace(COMMIT, COMMIT[::-1]).replace("==1.0.0", "==1.0.1")
        )
        path.write_text(
            text.replace("--hash=sha256:a", f"--hash=sha256:{'9' * 64} \\\n              --hash=sha256:b")
        )
    changed = {path.name: path.read_text() for path in (infra.root / ".github/workflows").iterdir()}
    assert set(states(infra, "--check", "--from", source).values()) <= {"unchanged", "other pins"}
    assert "other pins" in states(infra, "--from", source).values()
    assert {path.name: path.read_text() for path in (infra.root / ".github/workflows").iterdir()} == changed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python3 -I -m venv", "python3 -m venv"),
        ("--require-hashes ", ""),
        ("--no-build-isolation ", ""),
        ("github.com/acme/infra@", "github.com/evil/infra@"),
        ("actions/checkout@", "evil/checkout@"),
        (CHECKOUT.reference, "actions/checkout@v6 # v6"),
        ("pyyaml==", "pyyami=="),
        ("persist-credentials: false", "persist-credentials: true"),
    ],
)
def test_any_other_difference_is_reported(infra: Infra, old: str, new: str) -> None:
    states(infra, "--from", GIT)
    path = infra.root / ".github/workflows/infra-chat.yml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert states(infra, "--check", "--from", GIT, code=1)[".github/workflows/infra-chat.yml"] == "differs"


def test_an_action_at_no_commit_is_a_difference(infra: Infra) -> None:
    states(infra, "--from", ACTION)
    path = infra.root / ".github/workflows/infra-chat.yml"
    path.write_text(path.read_text().replace(COMMIT, "main"))
    assert "differs" in states(infra, "--check", "--from", ACTION, code=1).values()


def test_findings_are_uploaded_on_request_and_from_then_on(infra: Infra) -> None:
    name = ".github/workflows/infra-code-scanning.yml"
    assert name not in states(infra, "--from", GIT)
    assert states(infra, "--from", GIT, "--sarif")[name] == "written"
    assert states(infra, "--check")[name] == "unchanged"


def test_new_workflows_do_not_keep_an_older_infra(infra: Infra) -> None:
    """With --force the source has to be known: what is committed may be of another version."""
    states(infra, "--from", GIT)
    assert not WORKFLOWS & set(states(infra, "--force"))
