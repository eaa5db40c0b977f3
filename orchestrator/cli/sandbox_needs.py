"""What the project in the working folder needs of its sandbox, and where that sandbox lies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.context import App
from orchestrator.errors import GitError, InfraError, SandboxError

if TYPE_CHECKING:
    from orchestrator.project.git import Repository
    from orchestrator.project.model import Project, Stack
    from orchestrator.sandbox.attach import Info
    from orchestrator.sandbox.needs import Account, Needs, Types

BUCKET_URL = "gs://"
# Terraform's own provider, which needs no schema.
BUILTIN = "terraform.io/builtin/"
# Providers that reach no cloud: they may run as they are.
HARMLESS = frozenset(
    f"registry.terraform.io/hashicorp/{name}"
    for name in ("archive", "cloudinit", "local", "null", "random", "template", "time", "tls")
)


def sandbox_folder(app: App, directory: str | None) -> Path:
    """The sandbox's folder: as given, else the one that we are attached to, else the project's own."""
    if directory:
        return (app.cwd / directory).resolve()
    attached = app.environ.get("INFRA_SANDBOX")
    if attached:
        return Path(attached)
    return _root(app.cwd) / ".infra/sandbox"


def prepare(app: App, info: Info, *, to_run: bool = True) -> Info:
    """Tell the sandbox what the project in the working folder needs; what it says of itself then.

    A provider in use that is neither simulated nor harmless would reach a real cloud: a SandboxError when
    something is about to run, else a warning.
    """
    from orchestrator.sandbox import attach, control

    info = prepare_repository(app, info)
    needs = project_needs(app)
    if needs is None:
        return info
    unknown = control.call(info, "prepare", needs=needs.document())
    real = sorted(set(unknown["providers"]) - HARMLESS)
    if real:
        what = f"The project uses providers that the sandbox has no schema of: {', '.join(real)}."
        advice = "They would reach a real cloud. Record them first: `infra sandbox record`."
        if to_run:
            raise SandboxError(what, advice=advice)
        app.note(f"warning: {what} {advice}")
    for name in unknown["types"]:
        app.note(f"warning: the recorded schema has no {name}; Terraform will refuse it.")
    return attach.require(info.folder)


def prepare_repository(app: App, info: Info) -> Info:
    """Give the project a repository on the sandbox's GitHub; what the sandbox says of itself then."""
    from orchestrator.project.git import Repository
    from orchestrator.sandbox import attach, control
    from orchestrator.sandbox.github.rehearsal import name_of

    try:
        repository = Repository.open(app.cwd)
    except GitError:
        return info
    name = name_of(repository.remote_url(), repository.root)
    if not info.github or info.repository == name:
        return info
    control.call(info, "prepare_repository", name=name, branch=trunk_of(app, repository)[0])
    return attach.require(info.folder)


def trunk_of(app: App, repository: Repository) -> tuple[str, str]:
    """The trunk's name, and where it is here; a repository without one has `main`."""
    try:
        configured = app.project(needs_stacks=False).config.trunk
    except InfraError:
        configured = None
    try:
        revision = repository.trunk(configured)
    except GitError:
        return configured or "main", "HEAD"
    return revision.removeprefix("refs/heads/").removeprefix("refs/remotes/origin/"), revision


def project_needs(app: App) -> Needs | None:
    """The needs of the project in the working folder; None when there is none that can be read."""
    from orchestrator.sandbox.needs import Needs, Types
    from orchestrator.sandbox.schemas import source_address

    try:
        project = app.project(needs_stacks=False)
    except GitError:
        return None
    except InfraError as error:
        app.note(f"warning: the project cannot be read, so nothing is made ready for it: {error.message}")
        return None
    used = project.types(project.stacks)
    types = Types(used.resources, used.data_sources)
    for stack in project.stacks.values():
        types |= _types_of_local_state(project, stack)
    providers = {source_address(one) for one in used.providers if not one.startswith(BUILTIN)}
    return Needs(buckets_of(project), tuple(accounts_of(project)), tuple(sorted(providers)), types)


def _types_of_local_state(project: Project, stack: Stack) -> Types:
    """What a state on disk holds: the code may no longer say it."""
    from orchestrator.sandbox.needs import Types, types_in_state

    if stack.state is None or stack.state.startswith(BUCKET_URL):
        return Types()
    try:
        return types_in_state((project.root / stack.state).read_bytes())
    except OSError:
        return Types()


def buckets_of(project: Project) -> tuple[str, ...]:
    """The buckets that hold the project's states."""
    urls = (stack.state or "" for stack in project.stacks.values())
    return tuple(sorted({_bucket(url) for url in urls if url.startswith(BUCKET_URL)}))


def accounts_of(project: Project) -> Iterator[Account]:
    """The accounts of each environment that keeps states in a bucket, as infra.yaml names them."""
    from orchestrator.sandbox.needs import ROLES, SHARED, Account

    before, bucket_before = "", ""
    for environment in project.environments:
        buckets = sorted(
            {
                _bucket(one.state)
                for one in project.of(environment)
                if (one.state or "").startswith(BUCKET_URL)
            }
        )
        own = project.config.environment(environment).accounts
        for bucket in buckets[:1]:
            for role in ROLES:
                email = project.config.accounts.attest if role == SHARED else getattr(own, role)
                last = before if bucket == bucket_before else ""
                yield Account(environment, role, bucket, email or "", last)
            before, bucket_before = environment, bucket


def _bucket(url: str | None) -> str:
    return (url or "").removeprefix(BUCKET_URL).partition("/")[0]


def _root(folder: Path) -> Path:
    """The project's root at a glance: the nearest folder upward with infra.yaml, or the repository's top."""
    for candidate in (folder, *folder.parents):
        if (candidate / "infra.yaml").exists() or (candidate / ".git").exists():
            return candidate
    return folder
