"""What `infra init` writes: the workflows, and infra.yaml and CODEOWNERS where there are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from orchestrator.atomic_files import path_below, write_text
from orchestrator.config import DEFAULT_WORKSPACE, FILE_NAME, Config
from orchestrator.errors import GitError, UsageError
from orchestrator.forge.factory import portal_host, render_workflows, workflow_folder
from orchestrator.forge.install_source import (
    Source,
    UnknownSource,
    committed_source,
    installed_source,
    parse_source,
)
from orchestrator.forge.workflow_target import PortalHost, WorkflowTarget
from orchestrator.repository.layout import default_bootstrap_root
from orchestrator.repository.layout_settings import layout_document, render_lines
from orchestrator.repository.layout_survey import Layout, name_folders
from orchestrator.repository.model import Project
from orchestrator.repository.modules import product_of
from orchestrator.repository.repository_facts import RepositoryFacts

State = Literal["written", "unchanged", "other pins", "differs"]

# The workflow that publishes the portal.
PORTAL = "infra-portal.yml"
CODEOWNERS = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
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
class InitRequest:
    """What the files are to be for; without `target` or `source` the workflows are left out.

    `layout` is that of a repository without infra.yaml, None where there is one. `owners` are GitHub users or
    teams, `@acme/platform`. `trunk` is the branch that `--trunk` names.
    """

    target: WorkflowTarget | None
    source: Source | None
    layout: Layout | None = None
    facts: RepositoryFacts | None = None
    owners: Sequence[str] = ()
    trunk: str | None = None


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


def make_target(
    project: Project, repository: str | None, trunk: str | None, environments: Sequence[str]
) -> WorkflowTarget:
    """Whom to write for: as said, else as the remote and the folders tell. UsageError when they do not."""
    if repository is None:
        owner_and_name = _remote_repository(project)
        if owner_and_name is None:
            raise UsageError(
                "The repository on GitHub is unknown: origin is not an address of one.",
                advice="Say it: infra init --repository OWNER/NAME",
            )
        repository = "/".join(owner_and_name)
    if not _REPOSITORY.match(repository):
        raise UsageError(f"{repository!r} is no repository.", advice="Write it as OWNER/NAME.")
    names = tuple(environments) or tuple(project.config.environments) or project.environments
    if not names:
        raise UsageError(
            "There is no environment to write workflows for.",
            advice="Name them in promotion order: infra init --environment dev --environment prod",
        )
    for name in names:
        if not _ENVIRONMENT.match(name):
            raise UsageError(
                f"{name!r} cannot be a job's name.",
                advice="Workflows are written for environments of letters, digits, - and _.",
            )
    return WorkflowTarget(repository, trunk or _trunk_branch(project), names)


def complete_target(
    target: WorkflowTarget, config: Config, facts: RepositoryFacts, *, is_new: bool
) -> WorkflowTarget:
    """The target with how its jobs get Terraform and what they check out; `is_new` without an infra.yaml."""
    settings = config.terraform
    is_tofu = facts.product == "tofu" or product_of(settings.binary) == "tofu"
    return replace(
        target,
        install=facts.install if is_new else settings.install,
        product="tofu" if is_tofu else "terraform",
        version=facts.version or settings.version or "",
        submodules=facts.has_submodules,
        lfs=facts.has_lfs,
        job_variables={name: config.job_variables(name) for name in target.environments},
        reports=config.has_report_hooks,
        notify_variables=config.notify_variables,
        estimates_cost=config.cost is not None,
        sends_telemetry=bool(config.telemetry),
    )


def _trunk_branch(project: Project) -> str:
    """The branch everything merges to; `main` in a clone that has none yet."""
    try:
        return project.trunk_branch
    except GitError:
        return project.config.trunk or "main"


def _remote_repository(project: Project) -> tuple[str, str] | None:
    """Owner and name of the repository on GitHub, as origin's address has them."""
    match = _REMOTE.match(project.repository.remote_url() or "")
    return (match[1], match[2]) if match else None


def select_source(root: Path, text: str | None, *, replacing: bool) -> Source | UnknownSource:
    """Where the workflows are to install infra from: as `--from` says, else where this infra came from.

    Where that is unknown, what the workflows here install already, unless they are to be replaced: new
    workflows do not go with an older infra.
    """
    if text is not None:
        return parse_source(text)
    source = installed_source()
    if isinstance(source, UnknownSource) and not replacing:
        for path in sorted((root / workflow_folder()).glob("infra-*.yml")):
            committed = committed_source(path.read_text(encoding="utf-8", errors="replace"))
            if committed is not None:
                return committed
    return source


def written_portal(root: Path) -> PortalHost | None:
    """Where the portal of a repository goes already; None without its workflow."""
    path = root / workflow_folder() / PORTAL
    return portal_host(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None


def make_files(project: Project, request: InitRequest) -> dict[str, str]:
    """Every file that a repository like this is to have; those that people own only where there are none."""
    files = (
        dict(render_workflows(request.target, request.source)) if request.source and request.target else {}
    )
    if request.layout is not None:
        files[FILE_NAME] = render_settings(request)
    if request.owners and not any((project.root / name).exists() for name in CODEOWNERS):
        folders = ("policies", default_bootstrap_root(project))
        existing = [folder for folder in folders if project.tree.is_folder(folder)]
        files[CODEOWNERS[0]] = render_codeowners(request.owners, existing)
    return files


def write_files(
    root: Path, files: dict[str, str], *, force: bool = False, dry: bool = False
) -> tuple[InitFile, ...]:
    """Write what is missing; what is there and differs only with `force`. With `dry` nothing is written."""
    done = []
    for name, text in sorted(files.items()):
        path = path_below(root, name)
        existing = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
        state: State = "unchanged" if existing == text else "written"
        if existing is not None and existing != text and not force:
            state = "other pins" if _without_pins(existing) == _without_pins(text) else "differs"
        if state == "written" and not dry:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        done.append(InitFile(name, state))
    return tuple(done)


def _without_pins(text: str) -> str:
    """A workflow's text as it is whatever versions, hashes and commits it names."""
    return _HASH_PIN.sub("", _VERSION_PIN.sub("VERSION", _ACTION_PIN.sub("@COMMIT", text)))


def render_settings(request: InitRequest) -> str:
    """An infra.yaml to begin with: what the repository does not say itself, each line with its reason."""
    layout = request.layout
    if layout is None:
        raise ValueError("a repository with an infra.yaml gets no other one")
    config = _with_facts(layout.config, request)
    if request.target is not None and request.source is not None:
        last = request.target.environments[-1]
        environments = {name: config.environment(name) for name in request.target.environments}
        environments[last] = replace(environments[last], protected=True, apply="ci")
        config = replace(config, environments=environments)
    lines = ["# `infra schema` prints every key, docs/configuration.md explains them.", "version: 1"]
    lines += render_lines(layout_document(config), layout.reasons)
    lines += [f"# {note}" for note in layout_notes(layout)]
    return "\n".join(lines) + "\n"


def _with_facts(config: Config, request: InitRequest) -> Config:
    """The settings with the trunk and the Terraform that the repository names elsewhere."""
    config = replace(config, trunk=request.trunk) if request.trunk else config
    facts = request.facts
    if facts is None:
        return config
    terraform = config.terraform
    if facts.product == "tofu":
        terraform = replace(terraform, binary="tofu")
    if facts.is_unread:
        terraform = replace(terraform, version=facts.version)
    if request.target is not None:
        terraform = replace(terraform, install=facts.install)
    return replace(config, terraform=terraform)


def layout_notes(layout: Layout) -> list[str]:
    """What the settings leave open, a sentence each."""
    notes = []
    if layout.unordered:
        notes.append(
            f"Not in the promotion order yet: {', '.join(layout.unordered)}. List all environments in order "
            "under `environments` before you promote them."
        )
    if layout.left_out:
        notes.append(
            f"Root modules of no environment, which are no stacks: {name_folders(layout.left_out)}. "
            "Describe one with `stacks: {NAME: {path: FOLDER, environments: {ENV: {}}}}`."
        )
    if layout.lacking:
        kinds = sorted({layout.stacks[id_].backend.kind for id_ in layout.lacking})
        notes.append(
            f"{', '.join(layout.lacking[:4])}{' and others' if len(layout.lacking) > 4 else ''} leave their "
            f"backend open, and no file has its settings: `backend: {{{kinds[0]}: …}}`, or `config_file`."
        )
    return notes


def describe_layout(layout: Layout, roots: Sequence[str], facts: RepositoryFacts) -> list[tuple[str, str]]:
    """What was found, as pairs of a label and a text."""
    environments = [*layout.environments, *(f"{name} (place not known)" for name in layout.unordered)]
    kinds = sorted(
        {_backend_words(layout, kind) for kind in {s.backend.kind for s in layout.stacks.values()}}
    )
    versions = [f"{text} ({path})" for path, text in facts.versions]
    origin = {"none": "no origin", "other": "an unknown host"}.get(facts.host, facts.host)
    return [
        ("Root modules", f"{len(roots)}: {name_folders(roots)}" if roots else "none"),
        ("Environments", " → ".join(environments) or "none"),
        (
            "Stacks",
            f"{len(layout.stacks)}: {', '.join([*layout.stacks][:4])}"
            + (", …" if len(layout.stacks) > 4 else ""),
        ),
        ("Backends", ", ".join(kinds) or "none"),
        ("Terraform", ", ".join(versions[:4]) or "no version named"),
        ("Origin", f"{origin} {facts.repository}".strip()),
        *([("Runs already", ", ".join(facts.pipelines))] if facts.pipelines else []),
    ]


def _backend_words(layout: Layout, kind: str) -> str:
    stacks = [stack for stack in layout.stacks.values() if stack.backend.kind == kind]
    if any(stack.backend_file for stack in stacks):
        return f"{kind} (with files)"
    if any(stack.workspace != DEFAULT_WORKSPACE for stack in stacks):
        return f"{kind} (workspaces)"
    return kind if stacks[0].backend.declared else f"{kind} (no backend block)"


def render_codeowners(owners: Sequence[str], folders: Sequence[str]) -> str:
    """Who has to approve what decides over everything else; `folders` are those of policies and bootstrap."""
    who = " ".join(owners)
    paths = (
        FILE_NAME,
        f"{workflow_folder()}/",
        ".github/CODEOWNERS",
        *(f"{folder}/" for folder in folders),
        ".terraform.lock.hcl",
    )
    lines = "".join(f"{_anchored(path):<28} {who}\n" for path in paths)
    return f"# What rules the rest: accounts, workflows, policies, versions.\n{lines}"


def _anchored(path: str) -> str:
    return path if path == ".terraform.lock.hcl" else f"/{path}"


def next_steps(request: InitRequest) -> tuple[str, ...]:
    """What only people can set, in the order in which to do it."""
    target = request.target
    if target is None or request.source is None:
        return (
            "`infra list` shows the stacks, `infra validate` mistakes, `infra plan --all` what would change.",
            "`infra adopt --dry-run --all` shows what is applied already; `infra adopt --all` records it.",
        )
    names = ", ".join(target.environments)
    return (
        f"Commit these files and merge them: Google trusts the workflows at {target.trunk} alone.",
        f"`infra bootstrap` makes the bucket and the accounts of {names}, and prints what to put into "
        "GitHub: the variable INFRA_WORKLOAD_IDENTITY_PROVIDER, and an environment for each.",
        "Where `unapproved: gate` holds (protected environments, unless infra.yaml says otherwise), give the "
        "environment ENV-approval required reviewers: without them, what nobody approved is refused.",
        f"Protect {target.trunk}: one approving review, stale ones dismissed, and the checks "
        + ", ".join(f"infra/{name}" for name in target.environments)
        + " required.",
        "`infra doctor --github` tells what is still missing, why it matters, and how to set it.",
    )
