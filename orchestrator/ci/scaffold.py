"""What `infra init` writes: the workflows, and infra.yaml and CODEOWNERS where there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.ci.workflows import FOLDER, Target, render
from orchestrator.config import FILE_NAME
from orchestrator.errors import UsageError
from orchestrator.project.model import Project

State = Literal["written", "unchanged", "differs"]

CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
ENVIRONMENTS = ("dev", "staging", "prod")
# `git@github.com:OWNER/NAME.git`, `https://github.com/OWNER/NAME`, and the same of an Enterprise server.
_REMOTE = re.compile(r"^(?:ssh://)?(?:[\w.-]+@[\w.-]+[:/]|https?://[^/]+/)([\w.-]+)/([\w.-]+?)(?:\.git)?/?$")
_REPOSITORY = re.compile(r"^[\w.-]+/[\w.-]+$")
# Names become job ids, and parts of expressions.
_ENVIRONMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")


@dataclass(frozen=True)
class InitFile:
    """One file: `written`, `unchanged` when it was so already, `differs` when it was left as it is."""

    path: str
    state: State


@dataclass(frozen=True)
class Wanted:
    """What the workflows are to be for. `owners` are GitHub users or teams, `@acme/platform`."""

    target: Target
    bucket: str = ""
    owners: Sequence[str] = ()


def target_of(
    project: Project, repository: str | None, trunk: str | None, environments: Sequence[str]
) -> Target:
    """Whom to write for: as said, else as the remote and the folders tell. UsageError when they do not."""
    if repository is None:
        found = _REMOTE.match(project.repository.remote_url() or "")
        if found is None:
            raise UsageError(
                "Which repository on GitHub this is cannot be told: origin is no address of one.",
                advice="Say it: infra init --repository OWNER/NAME",
            )
        repository = f"{found[1]}/{found[2]}"
    if not _REPOSITORY.match(repository):
        raise UsageError(f"{repository!r} is no repository.", advice="Write it as OWNER/NAME.")
    names = tuple(environments) or tuple(project.config.environments) or project.order.names or ENVIRONMENTS
    for name in names:
        if not _ENVIRONMENT.match(name):
            raise UsageError(
                f"{name!r} cannot be a job's name.",
                advice="Workflows are written for environments of letters, digits, - and _.",
            )
    return Target(repository, trunk or project.config.trunk or "main", names)


def contents(project: Project, wanted: Wanted) -> dict[str, str]:
    """Every file that a repository like this is to have; those that people own only where there are none."""
    files = dict(render(wanted.target))
    if project.config.file is None:
        files[FILE_NAME] = settings(wanted)
    if wanted.owners and not any((project.root / name).exists() for name in CODEOWNERS):
        files[CODEOWNERS[0]] = codeowners(wanted.owners)
    return files


def write(
    root: Path, files: dict[str, str], *, force: bool = False, dry: bool = False
) -> tuple[InitFile, ...]:
    """Write what is missing; what is there and differs only with `force`. With `dry` nothing is written."""
    done = []
    for name, text in sorted(files.items()):
        path = root / name
        there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
        state: State = "unchanged" if there == text else "written"
        if there is not None and there != text and not force:
            state = "differs"
        if state == "written" and not dry:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done.append(InitFile(name, state))
    return tuple(done)


def settings(wanted: Wanted) -> str:
    """An infra.yaml to begin with."""
    target = wanted.target
    last = target.environments[-1]
    names = "\n".join(
        f"  {name}:\n    protected: true\n    apply: ci" if name == last else f"  {name}: {{}}"
        for name in target.environments
    )
    return f"""\
# `infra schema` prints every key, docs/configuration.md explains them.
version: 1
trunk: {target.trunk}

backend: # for stacks that declare an empty `backend "gcs" {{}}`
  gcs:
    bucket: {wanted.bucket or target.repository.replace("/", "-").lower() + "-state"}

environments: # in promotion order; `infra bootstrap` prints the accounts to put here
{names}
"""


def codeowners(owners: Sequence[str]) -> str:
    """Who has to approve what decides over everything else."""
    who = " ".join(owners)
    paths = (
        FILE_NAME,
        f"{FOLDER}/",
        ".github/CODEOWNERS",
        "policies/",
        "infra/bootstrap/",
        ".terraform.lock.hcl",
    )
    lines = "".join(f"{_anchored(path):<28} {who}\n" for path in paths)
    return f"# What rules the rest: accounts, workflows, policies, versions.\n{lines}"


def _anchored(path: str) -> str:
    return path if path == ".terraform.lock.hcl" else f"/{path}"


def next_steps(wanted: Wanted) -> tuple[str, ...]:
    """What only people can set, in the order in which to do it."""
    names = ", ".join(wanted.target.environments)
    return (
        f"Commit these files and merge them: Google will trust the workflows at {wanted.target.trunk} alone.",
        f"`infra bootstrap` makes the bucket and the accounts of {names}, and prints what to put into "
        "GitHub: the variable INFRA_WORKLOAD_IDENTITY_PROVIDER, and an environment for each.",
        f"Protect {wanted.target.trunk}: one approving review, stale ones dismissed, and the checks "
        + ", ".join(f"infra/{name}" for name in wanted.target.environments)
        + " required.",
        "`infra doctor --github` tells what is still missing, why it matters, and how to set it.",
    )
