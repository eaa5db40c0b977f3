"""What `infra init` writes: the workflows, and infra.yaml and CODEOWNERS where there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.ci.source import Source, UnknownSource, committed_source, installed_source, parse_source
from orchestrator.ci.workflows import FOLDER, Target, render
from orchestrator.config import FILE_NAME
from orchestrator.config.model import Roots
from orchestrator.errors import UsageError
from orchestrator.project.model import Project
from orchestrator.run.bootstrapping import default_root

State = Literal["written", "unchanged", "other pins", "differs"]

CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
ENVIRONMENTS = ("dev", "staging", "prod")
# `git@github.com:OWNER/NAME.git`, `https://github.com/OWNER/NAME`, and the same of an Enterprise server.
_REMOTE = re.compile(r"^(?:ssh://)?(?:[\w.-]+@[\w.-]+[:/]|https?://[^/]+/)([\w.-]+)/([\w.-]+?)(?:\.git)?/?$")
_REPOSITORY = re.compile(r"^[\w.-]+/[\w.-]+$")
# What a bot may raise: an action's commit and its label, a version, the commit of infra, a hash.
_ACTION_PIN = re.compile(r"@[0-9a-f]{40}(?:[0-9a-f]{24})?\b(?: # .*)?")
_VERSION_PIN = re.compile(r"(?<===)[\w.!+-]+")
_HASH_PIN = re.compile(r"(?: \\\n)? +--hash=sha256:[0-9a-f]{64}")
# Names become job ids, and parts of expressions.
_ENVIRONMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_BRANCH = re.compile(r"[\w.+@/-]+")
# What Git takes for a range, an option, a reflog or a lock.
_NO_BRANCH = re.compile(r"^[-/.]|\.\.|//|/\.|@\{|\.lock(?:/|$)|[/.]$")
_OWNER = re.compile(r"@[\w-]+(?:/[\w.-]+)?|[^\s@]+@[^\s@]+\.[^\s@]+")


@dataclass(frozen=True)
class InitFile:
    """One file.

    `written`; `unchanged` when it was so already; `other pins` when only versions, hashes and commits differ,
    as after a bot's update, and `differs` when more does: both are left as they are.
    """

    path: str
    state: State


@dataclass(frozen=True)
class Wanted:
    """What the files are to be for; without `source` the workflows are left out.

    `owners` are GitHub users or teams, `@acme/platform`.
    """

    target: Target
    source: Source | None
    bucket: str = ""
    owners: Sequence[str] = ()


def check_names(bucket: str, trunk: str | None, owners: Sequence[str]) -> None:
    """Raise UsageError for a bucket, a branch or an owner that Google, Git or GitHub would not accept."""
    if bucket and not _BUCKET.fullmatch(bucket):
        raise UsageError(
            f"--bucket {bucket!r} is no name of a bucket.",
            advice="3 to 63 lowercase letters, digits, dashes, underscores and dots: acme-terraform-state.",
        )
    if trunk is not None and (not _BRANCH.fullmatch(trunk) or _NO_BRANCH.search(trunk)):
        raise UsageError(
            f"--trunk {trunk!r} is no name of a branch.", advice="Name it as `git branch` does: main."
        )
    for owner in owners:
        if not _OWNER.fullmatch(owner):
            raise UsageError(
                f"--owner {owner!r} is nobody whom CODEOWNERS can name.",
                advice="Write @user, @organization/team or an e-mail address.",
            )


def target_of(
    project: Project, repository: str | None, trunk: str | None, environments: Sequence[str]
) -> Target:
    """Whom to write for: as said, else as the remote and the folders tell. UsageError when they do not."""
    if repository is None:
        found = remote_repository(project)
        if found is None:
            raise UsageError(
                "Which repository on GitHub this is cannot be told: origin is no address of one.",
                advice="Say it: infra init --repository OWNER/NAME",
            )
        repository = "/".join(found)
    if not _REPOSITORY.match(repository):
        raise UsageError(f"{repository!r} is no repository.", advice="Write it as OWNER/NAME.")
    given = tuple(environments) or tuple(project.config.environments)
    names = given or project.environments or ENVIRONMENTS
    for name in names:
        if not _ENVIRONMENT.match(name):
            raise UsageError(
                f"{name!r} cannot be a job's name.",
                advice="Workflows are written for environments of letters, digits, - and _.",
            )
    return Target(repository, trunk or project.config.trunk or "main", names)


def remote_repository(project: Project) -> tuple[str, str] | None:
    """Owner and name of the repository on GitHub, as origin's address has them."""
    found = _REMOTE.match(project.repository.remote_url() or "")
    return (found[1], found[2]) if found else None


def select_source(root: Path, text: str | None, *, replacing: bool) -> Source | UnknownSource:
    """Where the workflows are to install infra from: as `--from` says, else where this infra came from.

    Where that is unknown, what the workflows here install already, unless they are to be replaced: new
    workflows do not go with an older infra.
    """
    if text is not None:
        return parse_source(text)
    source = installed_source()
    if isinstance(source, UnknownSource) and not replacing:
        for path in sorted((root / FOLDER).glob("infra-*.yml")):
            committed = committed_source(path.read_text(encoding="utf-8", errors="replace"))
            if committed is not None:
                return committed
    return source


def contents(project: Project, wanted: Wanted) -> dict[str, str]:
    """Every file that a repository like this is to have; those that people own only where there are none."""
    files = dict(render(wanted.target, wanted.source)) if wanted.source else {}
    if project.config.file is None:
        files[FILE_NAME] = settings(project, wanted)
    if wanted.owners and not any((project.root / name).exists() for name in CODEOWNERS):
        files[CODEOWNERS[0]] = codeowners(wanted.owners, default_root(project))
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
            state = "other pins" if _without_pins(there) == _without_pins(text) else "differs"
        if state == "written" and not dry:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done.append(InitFile(name, state))
    return tuple(done)


def _without_pins(text: str) -> str:
    """A workflow's text as it is whatever versions, hashes and commits it names."""
    return _HASH_PIN.sub("", _VERSION_PIN.sub("VERSION", _ACTION_PIN.sub("@COMMIT", text)))


def settings(project: Project, wanted: Wanted) -> str:
    """An infra.yaml to begin with: only what the repository does not say itself."""
    target, roots = wanted.target, project.config.roots
    last = target.environments[-1]
    names = "\n".join(
        f"  {name}:\n    protected: true\n    apply: ci" if name == last else f"  {name}: {{}}"
        for name in target.environments
    )
    layout = "" if roots == Roots() else f"roots: # where the environments are\n  envs: {roots.envs}\n\n"
    # Stacks that all name their own backends need none from here.
    needs_backend = not project.stacks or any(
        stack.backend.empty and stack.backend.kind == "gcs" for stack in project.stacks.values()
    )
    bucket = wanted.bucket or target.repository.replace("/", "-").lower() + "-state"
    backend = f"""\
backend: # for stacks that declare an empty `backend "gcs" {{}}`
  gcs:
    bucket: {bucket}

"""
    given = layout + (backend if wanted.bucket or needs_backend else "")
    return f"""\
# `infra schema` prints every key, docs/configuration.md explains them.
version: 1
trunk: {target.trunk}

{given}environments: # in promotion order; `infra bootstrap` prints the accounts to put here
{names}
"""


def codeowners(owners: Sequence[str], bootstrap: str) -> str:
    """Who has to approve what decides over everything else; `bootstrap` is the folder of its code."""
    who = " ".join(owners)
    paths = (
        FILE_NAME,
        f"{FOLDER}/",
        ".github/CODEOWNERS",
        "policies/",
        f"{bootstrap}/",
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
        "Where `unapproved: gate` holds (protected environments, unless infra.yaml says otherwise), give the "
        "environment ENV-approval required reviewers: without them, what nobody approved is refused.",
        f"Protect {wanted.target.trunk}: one approving review, stale ones dismissed, and the checks "
        + ", ".join(f"infra/{name}" for name in wanted.target.environments)
        + " required.",
        "`infra doctor --github` tells what is still missing, why it matters, and how to set it.",
    )
