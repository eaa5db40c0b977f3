"""`infra new`."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.cli.support.completers import complete_environments
from orchestrator.errors import Exit, UsageError

if TYPE_CHECKING:
    from orchestrator.catalog.entries import CatalogEntry
    from orchestrator.config.catalog import TemplateKind

# Of `infra new update --pull-request`.
DEFAULT_BRANCH = "update-templates"

F = TypeVar("F", bound=Callable[..., Any])


class _NewGroup(click.Group):
    """The group, which takes `--update` for `update`: it is how Copier's users write it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command for the option."""
        is_option = args[:1] == ["--update"]
        return super().parse_args(ctx, ["update", *args[1:]] if is_option else args)


@click.group(
    cls=_NewGroup,
    epilog="""\b
Examples:
  infra new project acme       a whole repository, in a new folder
  infra new environment qa --from staging
  infra new service shop       a Cloud Run service, in every environment
  infra new pipeline beans     the home of a Vertex AI pipeline, in every environment
  infra new stack queue        an empty stack, in every environment
  infra new module my-service
  infra new update             bring what was made from templates up to date
""",
)
def command() -> None:
    """Make a repository, an environment, stacks from templates, or a module, and update them.

    `infra catalog list` shows the templates.
    """


@dataclass(frozen=True, kw_only=True)
class NewProjectOptions(JsonOptions):
    """The options of `infra new project`."""

    name: str
    folder: str | None
    repository: str | None
    source_text: str | None
    data: tuple[str, ...]
    dry_run: bool


@command.command(
    epilog="""\b
Examples:
  infra new project acme                     asks on a terminal; then: cd acme
  infra new project acme --data environments=dev,prod --data prod/project_id=acme-live
  infra new project acme --folder . --repository acme/infrastructure    in an empty clone, with workflows
"""
)
@click.argument("name")
@click.option("--folder", type=click.Path(), metavar="DIR", help="Where to make it (default: NAME).")
@click.option(
    "--repository",
    metavar="OWNER/NAME",
    help="The repository on GitHub, to write the workflows for (default: origin's, in a clone).",
)
@click.option(
    "--from",
    "source_text",
    metavar="SPEC",
    help="Where the workflows install infra from (default: where this infra was installed from).",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[ENV/]KEY=VALUE",
    help="Answer a question of the template, or one of the first stack of an environment; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print which files would be written.")
@json_option
@with_options(NewProjectOptions)
def project(app: App, options: NewProjectOptions) -> int:
    """Make a repository with environments, modules, a first stack, the bootstrap, and workflows.

    It is a Git repository without a commit. Without a terminal or with --json, questions without --data take
    their defaults. In a folder that exists, files that exist stay as they are.
    """
    from orchestrator.catalog.new_project import ProjectRequest, create_project
    from orchestrator.sandbox.demo.repository import find_example
    from orchestrator.scaffold.init import select_source

    folder = (app.cwd / (options.folder or options.name)).resolve()
    created = create_project(
        ProjectRequest(
            options.name,
            folder,
            find_example(),
            _parse_data(options.data),
            repository=options.repository,
            source=select_source(folder, options.source_text, replacing=True),
            asks=app.interactive,
            dry_run=options.dry_run,
        )
    )
    if options.as_json:
        return app.emit(
            "new project",
            folder=str(folder),
            files=list(created.files),
            existing=list(created.existing),
            notes=list(created.notes),
            written=not options.dry_run,
        )
    for path in created.files:
        app.write(path)
    for path in created.existing:
        app.note(f"{path} is there already and stays as it is.")
    for note in created.notes:
        app.note(note)
    if options.dry_run:
        app.note("Nothing was written.")
    else:
        enter = "" if folder == app.cwd.resolve() else f"cd {shlex.quote(options.folder or options.name)}; "
        app.note(
            f"Next: {enter}git add --all; git commit; without a cloud: "
            "infra sandbox up; infra sandbox exec -- infra plan --all"
        )
    return 0


@dataclass(frozen=True, kw_only=True)
class NewEnvironmentOptions(JsonOptions):
    """The options of `infra new environment`."""

    name: str
    source: str
    after: str | None
    data: tuple[str, ...]
    dry_run: bool


@command.command(
    epilog="""\b
Examples:
  infra new environment qa --from staging --after dev
  infra new environment qa --from staging --data project_id=acme-qa --data network/ip_cidr_range=10.40.0.0/20
"""
)
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="ENV",
    required=True,
    shell_complete=complete_environments,
    help="The environment to copy.",
)
@click.option(
    "--after",
    metavar="ENV",
    shell_complete=complete_environments,
    help="The environment before it in the promotion order (default: the one that is copied).",
)
@click.option(
    "--data",
    multiple=True,
    metavar="[STACK/]VARIABLE=VALUE",
    help="The value of a variable, in one stack or in all; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be written.")
@json_option
@with_options(NewEnvironmentOptions)
def environment(app: App, options: NewEnvironmentOptions) -> int:
    """Copy an environment: the code of its stacks, and its settings in infra.yaml without the accounts.

    Replaces the old name of the environment where it is a whole word. On a terminal, each value that
    differs between environments is asked; elsewhere --data gives it. Changes no existing file but infra.yaml.
    """
    from orchestrator.catalog.creation import write_files
    from orchestrator.catalog.entities import renew_entities
    from orchestrator.catalog.new_environment import EnvironmentRequest, render_environment

    project = app.project()
    created = render_environment(
        project,
        EnvironmentRequest(
            options.name,
            options.source,
            options.after or options.source,
            _parse_data(options.data),
            (lambda question, default: _ask(app, question, default)) if app.interactive else None,
        ),
    )
    if not options.dry_run:
        write_files(project.root, created.files, created.links)
        renew_entities(project.root)
    if options.as_json:
        return app.emit(
            "new environment",
            environment=options.name,
            stacks=list(created.stacks),
            files=sorted([*created.files, *created.links]),
            values=[asdict(value) for value in created.values],
            to_check=list(created.to_check),
            written=not options.dry_run,
        )
    for path in sorted([*created.files, *created.links]):
        app.write(path)
    for value in created.values:
        app.note(
            f"{value.stack}: {value.variable} = {value.value} (in {options.source} {value.source_value})"
        )
    for variable in created.to_check:
        app.note(f"{variable} differs between environments and was copied: check it.")
    if options.dry_run:
        app.note("Nothing was written.")
    else:
        app.note(
            f"Next: git diff; infra plan {options.name}; add {options.name} to the environments in the "
            "bootstrap's terraform.tfvars and run infra bootstrap; infra init --force writes its workflows."
        )
    return 0


def _ask(app: App, question: str, default: str) -> str:
    line = app.ask(f"{question} [{default}]: ")
    if not line:
        raise UsageError("Nothing was answered.", advice="Give the values by --data VARIABLE=VALUE.")
    return line.strip() or default


@dataclass(frozen=True, kw_only=True)
class NewModuleOptions(JsonOptions):
    """The options of `infra new module`."""

    name: str


@command.command(
    epilog="""\b
Examples:
  infra new module my-service    then: infra test my-service
"""
)
@click.argument("name")
@json_option
@with_options(NewModuleOptions)
def module(app: App, options: NewModuleOptions) -> int:
    """Write a module with a passing test, an example and a README. Changes no existing file."""
    from orchestrator.scaffold.module import new_module

    created = new_module(app.project(needs_stacks=False), options.name)
    if options.as_json:
        return app.emit("new module", module=created.path, files=list(created.files))
    for file in created.files:
        app.write(file)
    app.note(f"Next: infra test {options.name}; then put your resources into {created.path}/main.tf.")
    return 0


@dataclass(frozen=True, kw_only=True)
class NewStackOptions(JsonOptions):
    """The options of `infra new stack`, `service` and `pipeline`."""

    name: str
    template: str | None
    environments: tuple[str, ...]
    data: tuple[str, ...]
    answers: str | None
    dry_run: bool
    pull_request: bool


data_option = click.option(
    "--data",
    multiple=True,
    metavar="[ENV/]KEY=VALUE",
    help="Answer a question of the template, for one environment or for all; repeatable.",
)


pull_request_option = click.option(
    "--pull-request",
    is_flag=True,
    help="Also commit to a new branch, push it, and open a pull request (needs GITHUB_TOKEN).",
)


def _stack_options(function: F) -> F:
    """The options of what is made in environments."""
    for option in (
        json_option,
        click.option("--dry-run", is_flag=True, help="Print which files would be written."),
        pull_request_option,
        click.option(
            "--answers",
            metavar="FILE",
            help="Take answers from a YAML or JSON file; --data replaces them.",
        ),
        data_option,
        click.option(
            "--env",
            "environments",
            multiple=True,
            metavar="ENV",
            shell_complete=complete_environments,
            help="Make it only in this environment; repeatable.",
        ),
        click.option("--template", metavar="NAME", help="Use another template of the catalogue."),
        click.argument("name"),
    ):
        function = option(function)
    return function


@command.command(
    epilog="""\b
Examples:
  infra new stack queue                     asks on a terminal
  infra new stack queue --env dev --data project_id=acme-dev
"""
)
@_stack_options
@with_options(NewStackOptions)
def stack(app: App, options: NewStackOptions) -> int:
    """Make a stack from a template, in every environment at once. Changes no existing file.

    Without a terminal or with --json, questions without --data take their defaults.
    """
    return _create(app, "stack", options)


@command.command(
    epilog="""\b
Examples:
  infra new service shop                    asks on a terminal
  infra new service shop --data alert_email=shop@example.com --data prod/max_instances=20
  infra new service shop --data deployed_by=terraform --data image=europe-docker.pkg.dev/acme/apps/shop:1.0.0
"""
)
@_stack_options
@with_options(NewStackOptions)
def service(app: App, options: NewStackOptions) -> int:
    """Make a Cloud Run service with alerts and a budget, in every environment at once.

    Modules that it needs and the repository lacks are added. Changes no existing file. Without a terminal or
    with --json, questions without --data take their defaults.
    """
    return _create(app, "service", options)


@command.command(
    epilog="""\b
Examples:
  infra new pipeline beans                  asks on a terminal
  infra new pipeline beans --data publisher=serviceAccount:build@acme.iam.gserviceaccount.com
"""
)
@_stack_options
@with_options(NewStackOptions)
def pipeline(app: App, options: NewStackOptions) -> int:
    """Make what a Vertex AI pipeline needs, in every environment at once.

    Registries for compiled pipelines and images, a bucket, the account of its runs, and a schedule where a
    change in the repository names the digest. Modules that it needs and the repository lacks are added.
    Changes no existing file. Without a terminal or with --json, questions without --data take their defaults.
    """
    return _create(app, "pipeline", options)


def _advise_kind(entry: CatalogEntry, name: str) -> str:
    template = "" if entry.name == entry.kind else f" --template {entry.name}"
    return f"`infra new {entry.kind} {name}{template}`."


def _create(app: App, kind: TemplateKind, options: NewStackOptions) -> int:
    from orchestrator.catalog.creation import CreationRequest, render_stacks, write_files
    from orchestrator.catalog.entities import ENTITIES_FILE, renew_entities
    from orchestrator.catalog.entries import find_entry
    from orchestrator.catalog.samples import read_answers
    from orchestrator.cli.support.file_proposals import FilesProposal, propose_files
    from orchestrator.report.escape import code

    project = app.project(needs_stacks=False)
    entry = find_entry(project, options.template or kind)
    if entry.kind != kind:
        raise UsageError(
            f"The template {entry.name} makes a {entry.kind}, not a {kind}.",
            advice=_advise_kind(entry, options.name),
        )
    answers = read_answers(app.cwd / options.answers) if options.answers else {}
    data = {**answers, **_parse_data(options.data)}
    request = CreationRequest(entry, options.name, options.environments, data, asks=app.interactive)
    files = render_stacks(project, request)

    def write() -> list[str]:
        write_files(project.root, files)
        return sorted([*files, *([ENTITIES_FILE] if renew_entities(project.root) else [])])

    url = None
    if options.pull_request and not options.dry_run:
        title = f"Add {options.name} from the template {entry.name}"
        body = f"Made by `infra new {kind}` from the template {code(entry.name)} at {code(entry.version)}."
        proposal = FilesProposal(f"new-{kind}-{options.name.replace('/', '-')}", title, body)
        url = propose_files(app, project, proposal, write)
    elif not options.dry_run:
        write()
    if options.as_json:
        return app.emit(
            f"new {kind}",
            template=entry.name,
            files=sorted(files),
            written=not options.dry_run,
            pull_request=url,
        )
    for path in sorted(files):
        app.write(path)
    if options.dry_run:
        app.note("Nothing was written.")
    elif url:
        app.write(f"Pull request: {url}")
    else:
        app.note(f"Next: infra lint; infra plan '*/{options.name}'; then commit, and open a pull request.")
    return 0


@dataclass(frozen=True, kw_only=True)
class NewUpdateOptions(JsonOptions):
    """The options of `infra new update`."""

    path: str
    data: tuple[str, ...]
    branch: str | None
    dry_run: bool
    pull_request: bool


@command.command(
    epilog="""\b
Examples:
  infra new update                                  everything that was made from templates
  infra new update infra/envs/dev/shop --dry-run    what would change in one folder
  infra new update --branch update-templates        on a new branch
  infra new update --pull-request                   and propose it
"""
)
@click.argument("path", default=".", type=click.Path())
@data_option
@click.option("--branch", metavar="NAME", help="Make this branch and switch to it first.")
@pull_request_option
@click.option("--dry-run", is_flag=True, help="Print which files would change.")
@json_option
@with_options(NewUpdateOptions)
def update(app: App, options: NewUpdateOptions) -> int:
    """Merge newer versions of templates into the folders that were made from them. Your changes are kept.

    What changed here and in the template gets conflict markers, and the command exits with 1. Refuses folders
    with uncommitted changes.

    Without PATH, updates everything below the working folder.
    """
    from orchestrator.catalog.update import (
        describe_updates,
        find_records,
        merge_contents,
        plan_updates,
        write_update,
    )
    from orchestrator.cli.support.file_proposals import FilesProposal, propose_files

    project = app.project(needs_stacks=False)
    start = (app.cwd / options.path).resolve()
    if not start.is_relative_to(project.root):
        raise UsageError(f"{options.path} is outside the project.", advice="Name a folder of the project.")
    if not start.is_dir():
        raise UsageError(f"There is no folder {options.path}.", advice="Name a folder of the project.")
    below = start.relative_to(project.root).as_posix()
    folders = find_records(project, "" if below == "." else below)
    updates = list(
        plan_updates(
            project, folders, _parse_data(options.data), merge_contents(project), asks=app.interactive
        )
    )

    def write() -> list[str]:
        for folder_update in updates:
            write_update(project.root, folder_update)
        return sorted(path for folder_update in updates for path in folder_update.files)

    url = None
    if not options.dry_run and updates:
        for folder in [folder_update.folder for folder_update in updates]:
            if project.repository.uncommitted(folder or "."):
                raise UsageError(
                    f"{folder or 'The project'} has uncommitted changes.", advice="Commit them first."
                )
        if options.pull_request:
            branch = options.branch or DEFAULT_BRANCH
            proposal = FilesProposal(branch, "Update from templates", describe_updates(updates))
            url = propose_files(app, project, proposal, write)
        else:
            if options.branch:
                project.repository.start_branch(options.branch)
            write()
    conflicts = [conflict for folder_update in updates for conflict in folder_update.conflicts]
    code = int(Exit.ERROR if conflicts else Exit.OK)
    if options.as_json:
        documents = [
            {
                "folder": folder_update.folder,
                "template": folder_update.template,
                "from": folder_update.old_version,
                "to": folder_update.new_version,
                "files": sorted(folder_update.files),
                "conflicts": [{"file": file, "reason": reason} for file, reason in folder_update.conflicts],
            }
            for folder_update in updates
        ]
        return app.emit("new update", code, updates=documents, written=not options.dry_run, pull_request=url)
    for folder_update in updates:
        versions = f"{folder_update.old_version[:10]} → {folder_update.new_version[:10]}"
        app.write(f"{folder_update.folder or '.'}: {folder_update.template} {versions}")
    for file, reason in conflicts:
        app.write(f"conflict: {file}: {reason}")
    if url:
        app.write(f"Pull request: {url}")
    app.write(f"{len(folders)} made from templates, {len(updates)} to update, {len(conflicts)} conflicts.")
    return code


def _parse_data(words: tuple[str, ...]) -> dict[str, str]:
    data = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or not key:
            raise UsageError(f"--data {word!r} answers nothing.", advice="Write --data KEY=VALUE.")
        data[key] = value
    return data
