"""What the project in the working folder needs of its sandbox, and where that sandbox lies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.app import App
from orchestrator.errors import GitError, InfraError, SandboxError

if TYPE_CHECKING:
    from orchestrator.repository.git import Repository
    from orchestrator.repository.model import Project, Stack
    from orchestrator.sandbox.attach import Info
    from orchestrator.sandbox.needs import Account, Needs, ResourceTypes

BUCKET_URL = "gs://"
# Terraform's own provider, which needs no schema.
BUILTIN = "terraform.io/builtin/"
# Providers that reach no cloud: they may run as they are.
SAFE_PROVIDERS = frozenset(
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


def prepare_sandbox(app: App, info: Info, *, to_run: bool = True, pointed: Collection[str] = ()) -> Info:
    """Tell the sandbox what the project in the working folder needs; what it says of itself then.

    A provider in use that is neither simulated nor harmless, nor one of `pointed` (addresses of providers
    whose endpoints are on this machine), would reach a real cloud: a SandboxError when something is about to
    run, else a warning.
    """
    from orchestrator.sandbox import attach, control

    info = prepare_repository(app, info)
    needs = project_needs(app)
    if needs is None:
        return info
    unknown = control.call(info, "prepare", needs=needs.document())
    real = sorted(set(unknown["providers"]) - SAFE_PROVIDERS - set(pointed))
    if real:
        what = f"The project uses providers that the sandbox has no schema of: {', '.join(real)}."
        advice = (
            "They would reach a real cloud. Record them (`infra sandbox record`), or run them on servers "
            "of this machine: `infra sandbox exec --real`."
        )
        if to_run:
            raise SandboxError(what, advice=advice)
        app.note(f"warning: {what} {advice}")
    for name in unknown["types"]:
        app.note(f"warning: the recorded schema has no {name}; Terraform will refuse it.")
    return attach.require(info.folder)


def prepare_repository(app: App, info: Info) -> Info:
    """Give the project a repository on the sandbox's GitHub; what the sandbox says of itself then."""
    from orchestrator.repository.git import Repository
    from orchestrator.sandbox import attach, control
    from orchestrator.sandbox.github.push import repository_name

    try:
        repository = Repository.open(app.cwd)
    except GitError:
        return info
    name = repository_name(repository.remote_url(), repository.root)
    if not info.github or info.repository == name:
        return info
    control.call(info, "prepare_repository", name=name, branch=find_trunk(app, repository)[0])
    return attach.require(info.folder)


def find_trunk(app: App, repository: Repository) -> tuple[str, str]:
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
    from orchestrator.sandbox.needs import Needs, ResourceTypes
    from orchestrator.sandbox.schemas import source_address

    try:
        project = app.project(needs_stacks=False)
    except GitError as error:
        app.note(f"{error.message} The sandbox has no buckets and accounts of a project.")
        return None
    except InfraError as error:
        app.note(f"warning: the project cannot be read, so nothing is made ready for it: {error.message}")
        return None
    used = project.types(project.stacks)
    types = ResourceTypes(used.resources, used.data_sources)
    for stack in project.stacks.values():
        types |= _types_of_local_state(project, stack)
    providers = {source_address(provider) for provider in used.providers if not provider.startswith(BUILTIN)}
    return Needs(
        state_buckets(project), tuple(_environment_accounts(project)), tuple(sorted(providers)), types
    )


def _types_of_local_state(project: Project, stack: Stack) -> ResourceTypes:
    """What a state on disk holds: the code may no longer say it."""
    from orchestrator.sandbox.needs import ResourceTypes, types_in_state

    if stack.state is None or stack.state.startswith(BUCKET_URL):
        return ResourceTypes()
    try:
        return types_in_state((project.root / stack.state).read_bytes())
    except OSError:
        return ResourceTypes()


def state_buckets(project: Project) -> tuple[str, ...]:
    """The buckets that hold the project's states and its memory."""
    urls = (stack.state or "" for stack in project.stacks.values())
    memories = (project.config.memory_of(name).bucket for name in project.environments)
    return tuple(
        sorted({_bucket(url) for url in urls if url.startswith(BUCKET_URL)} | {*filter(None, memories)})
    )


def _environment_accounts(project: Project) -> Iterator[Account]:
    """The accounts of each environment that keeps states in a bucket, as infra.yaml names them."""
    from orchestrator.engine.ledgers import memory_folder
    from orchestrator.sandbox.needs import ROLES, SHARED, Account
    from orchestrator.state.location import Location
    from orchestrator.state.marker import marker_name

    before = None
    for environment in project.environments:
        states = sorted(
            stack.state
            for stack in project.of(environment)
            if stack.state and stack.state.startswith(BUCKET_URL)
        )
        folder = memory_folder(project.config, environment, Location.parse(states[0])) if states else None
        if folder is None:
            continue
        own = project.config.environment(environment).accounts
        last = before.base if before and before.bucket == folder.bucket else ""
        for role in ROLES:
            email = project.config.accounts.attest if role == SHARED else getattr(own, role)
            marker = marker_name(folder.prefix)
            yield Account(environment, role, folder.bucket, email or "", last, folder.base, marker)
        before = folder


def _bucket(url: str | None) -> str:
    return (url or "").removeprefix(BUCKET_URL).partition("/")[0]


def _root(folder: Path) -> Path:
    """The project's root at a glance: the nearest folder upward with infra.yaml, or the repository's top."""
    for candidate in (folder, *folder.parents):
        if (candidate / "infra.yaml").exists() or (candidate / ".git").exists():
            return candidate
    return folder
