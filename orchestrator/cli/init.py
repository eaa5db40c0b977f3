"""`infra init`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

if TYPE_CHECKING:
    from orchestrator.forge.install_source import Source
    from orchestrator.forge.workflow_target import PortalHost, WorkflowTarget
    from orchestrator.repository.layout_survey import Layout
    from orchestrator.repository.model import Project
    from orchestrator.repository.repository_facts import RepositoryFacts
    from orchestrator.scaffold.init import InitFile
    from orchestrator.scaffold.pipelines import System

# The workflow for pull requests of forks.
REHEARSAL = "infra-rehearse.yml"
# The workflow that uploads findings.
CODE_SCANNING = "infra-code-scanning.yml"
# The workflow that a form in a developer portal starts.
SELF_SERVICE = "infra-new.yml"
EPILOG = """\b
Examples:
  infra init                                   in a clone: workflows, and infra.yaml if there is none
  infra init --owner @acme/platform            CODEOWNERS too
  infra init --from git+https://github.com/acme/infra@COMMIT
                                               what the workflows install: a commit of infra,
  infra init --from 'infra-orchestrator==1.0.0 --hash=sha256:DIGEST'
                                               a release with its hash,
  infra init --from acme/infra@COMMIT          or infra as an action
  infra init --ci gitlab --image registry.example.com/infra@sha256:DIGEST
                                               the pipeline of another CI than GitHub Actions
  infra init --dry-run                         what would be written
  infra init --force                           the workflows again, after an update of infra
  infra init --check                           exit 1 when one is not as this version writes it
"""


@dataclass(frozen=True, kw_only=True)
class InitOptions(JsonOptions):
    """The options of `infra init`."""

    repository: str | None
    trunk: str | None
    environments: tuple[str, ...]
    bucket: str
    owners: tuple[str, ...]
    shards: int
    drift_shards: int
    source_text: str | None
    workflows: bool
    rehearse: bool
    sarif: bool
    self_service: bool
    portal: PortalHost | None
    system: System | None
    image: str
    force: bool
    dry_run: bool
    check: bool


@click.command(epilog=EPILOG)
@click.option("--repository", metavar="OWNER/NAME", help="The repository on GitHub (default: origin's).")
@click.option(
    "--trunk",
    metavar="BRANCH",
    help="The branch that everything merges to (default: that of infra.yaml, or main).",
)
@click.option(
    "--environment",
    "environments",
    metavar="ENV",
    multiple=True,
    help="An environment, in promotion order; repeatable (default: those that exist).",
)
@click.option("--bucket", metavar="NAME", default="", help="The state bucket, for a new infra.yaml.")
@click.option(
    "--owner",
    "owners",
    metavar="@TEAM",
    multiple=True,
    help="An owner of the workflows and rules; repeatable.",
)
@click.option(
    "--apply-shards",
    "shards",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="Apply each environment in N parallel jobs.",
)
@click.option(
    "--drift-shards",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="Check each environment for drift in N parallel jobs.",
)
@click.option(
    "--from",
    "source_text",
    metavar="SPEC",
    help="Where the workflows install infra from (default: where this infra was installed from).",
)
@click.option(
    "--workflows", is_flag=True, help="Exit with 3, and write nothing, if the workflows cannot be written."
)
@click.option(
    "--ci",
    "system",
    type=click.Choice(["gitlab", "bitbucket", "cloudbuild", "jenkins"]),
    help="Write the pipeline of another CI instead of the workflows.",
)
@click.option(
    "--image",
    metavar="NAME@sha256:DIGEST",
    default="",
    help="The image for its jobs; without it, a Dockerfile is written.",
)
@click.option(
    "--portal",
    type=click.Choice(["gcs", "pages", "artifact"]),
    help="Also write a workflow that publishes the pages of `infra portal`: docs/portal.md.",
)
@click.option("--rehearse", is_flag=True, help="Also write a workflow that rehearses pull requests of forks.")
@click.option(
    "--sarif", is_flag=True, help="Also write a workflow that uploads findings to GitHub's code scanning."
)
@click.option(
    "--self-service",
    is_flag=True,
    help="Also write a workflow that runs `infra new` for a developer portal: docs/golden-paths.md.",
)
@click.option("--force", is_flag=True, help="Replace files that differ.")
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with 1 if a file is missing, or differs in more than pins.",
)
@json_option
@with_options(InitOptions)
def command(app: App, options: InitOptions) -> int:
    """Write an infra.yaml that fits this repository, and the workflows if it is on GitHub.

    If there is no infra.yaml, finds root modules, environments, backends and variable files, shows them, and
    asks on a terminal what it cannot find. Keeps existing files that differ, unless you give --force; never
    replaces infra.yaml and CODEOWNERS. The workflows pin infra and its dependencies by hash. If the source of
    infra is not fixed, they are not written.
    """
    from orchestrator.repository.layout import require_stacks
    from orchestrator.repository.loading import read_tree
    from orchestrator.repository.repository_facts import read_facts
    from orchestrator.scaffold.init import (
        InitRequest,
        check_names,
        describe_layout,
        layout_notes,
        make_files,
        next_steps,
        write_files,
    )

    check_names(options.bucket, options.trunk, options.owners)
    if options.system or options.image:
        return _write_pipeline(app, options)
    project = app.project(needs_stacks=False)
    facts = read_facts(project.coverage.source, project.repository.remote_url())
    layout = roots = None
    if project.config.file is None:
        layout, roots = _find_layout(app, project, options)
        project = read_tree(project.repository, project.tree, project.coverage.source.memo, layout.config)
    elif not (project.config.environments or options.environments):
        require_stacks(project)
    description = describe_layout(layout, roots or (), facts) if layout is not None else []
    target, source, left_out = _workflows(project, facts, layout, options)
    init_request = InitRequest(target, source, layout, facts, options.owners, options.trunk)
    contents = make_files(project, init_request)
    _show(app, description, contents if options.dry_run else {})
    files = write_files(project.root, contents, force=options.force, dry=options.dry_run or options.check)
    differing = [file.path for file in files if file.state == "differs"]
    missing = [file.path for file in files if file.state == "written"]
    code = int(Exit.ERROR) if options.check and (differing or missing) else int(Exit.OK)
    steps = list(next_steps(init_request))
    notes = [*([left_out] if left_out else []), *(layout_notes(layout) if layout else [])]
    if options.as_json:
        return app.emit(
            "init",
            code,
            files=[asdict(file) for file in files],
            found={label.lower(): text for label, text in description},
            notes=notes,
            next=steps,
        )
    _print_outcome(app, options, files, notes, steps)
    return code


def _print_outcome(
    app: App, options: InitOptions, files: Sequence[InitFile], notes: Sequence[str], steps: Sequence[str]
) -> None:
    """Prints one line for each file, the notes, and what to do next."""
    words = {
        "written": "would write" if options.dry_run or options.check else "wrote",
        "unchanged": "is there",
        "other pins": "other pins",
        "differs": "differs",
    }
    for file in files:
        app.write(f"{words[file.state]:<12} {file.path}")
    for note in notes:
        app.note(note)
    if any(file.state == "differs" for file in files):
        app.note("Those that differ were left as they are: `infra init --force` replaces them.")
    if not options.check:
        app.write("\nNext:")
        for number, step in enumerate(steps, 1):
            app.write(f"  {number}. {step}")


def _write_pipeline(app: App, options: InitOptions) -> int:
    """Writes the pipeline of another CI, or the Dockerfile of the image that it needs; the exit code."""
    from orchestrator.scaffold.init import write_files
    from orchestrator.scaffold.pipelines import describe_next, make_pipeline

    project = app.project(needs_stacks=False)
    dry = options.dry_run or options.check
    pipeline = make_pipeline(
        project,
        options.system,
        options.image,
        trunk=options.trunk,
        environments=options.environments,
        source_text=options.source_text,
    )
    files = write_files(project.root, dict(pipeline), force=options.force, dry=dry)
    stale = any(file.state in ("differs", "written") for file in files)
    code = Exit.ERROR if options.check and stale else Exit.OK
    steps = describe_next(project, options.system, options.image)
    if options.as_json:
        documents = [asdict(file) for file in files]
        return app.emit("init", int(code), files=documents, notes=[], next=list(steps))
    _print_outcome(app, options, files, (), steps)
    return int(code)


def _find_layout(app: App, project: Project, options: InitOptions) -> tuple[Layout, tuple[str, ...]]:
    """The layout of a repository without infra.yaml, and its root modules; asks where a terminal is there."""
    from orchestrator.cli.support.layout_choice import choose_layout
    from orchestrator.repository.layout_survey import Answers, Survey, name_folders, survey

    source = project.coverage.source
    surveys: list[Survey] = []
    questions: list[str] = []

    def look(answers: Answers) -> Survey:
        surveys.append(survey(source, answers))
        return surveys[-1]

    def ask(question: str) -> str:
        if not questions:
            roots = surveys[-1].roots
            app.note(f"{len(roots)} root modules: {name_folders(roots)}")
        questions.append(question)
        return app.ask(question).strip()

    can_ask = app.interactive and not (options.check or options.dry_run)
    answers = Answers(options.environments, options.bucket)
    return choose_layout(look, answers, ask if can_ask else None), surveys[-1].roots


def _workflows(
    project: Project, facts: RepositoryFacts, layout: Layout | None, options: InitOptions
) -> tuple[WorkflowTarget | None, Source | None, str]:
    """Whom to write workflows for and what they install; without either, why they are left out."""
    from orchestrator.forge.factory import workflow_folder
    from orchestrator.forge.install_source import FORMS, UnknownSource
    from orchestrator.scaffold.init import complete_target, make_target, select_source, written_portal

    is_requested = options.workflows or options.repository is not None or options.source_text is not None
    if facts.host != "github" and not is_requested:
        why = "No workflows: origin is not on GitHub. `--repository OWNER/NAME` writes them all the same, "
        return None, None, f"{why}`--ci SYSTEM` writes the pipeline of another CI."
    environments = options.environments or (layout.environments if layout else ())
    target = make_target(project, options.repository, options.trunk, environments)
    selected = select_source(project.root, options.source_text, replacing=options.force)
    if isinstance(selected, UnknownSource):
        left_out = f"The workflows are left out: {selected.reason}, so there is nothing to pin it to."
        if options.workflows:
            raise UsageError(left_out, advice=FORMS)
        return target, None, f"{left_out} {FORMS}"
    target = complete_target(target, project.config, facts, is_new=layout is not None)
    folder = project.root / workflow_folder()
    return (
        replace(
            target,
            shards=options.shards,
            drift_shards=options.drift_shards,
            rehearse=options.rehearse or (folder / REHEARSAL).exists(),
            sarif=options.sarif or (folder / CODE_SCANNING).exists(),
            self_service=options.self_service or (folder / SELF_SERVICE).exists(),
            portal=options.portal or written_portal(project.root),
        ),
        selected,
        "",
    )


def _show(app: App, description: list[tuple[str, str]], files: Mapping[str, str]) -> None:
    """Print what was found, and the settings that would be written."""
    if app.json:
        return
    for label, text in description:
        app.write(f"{label:<14} {text}")
    if "infra.yaml" in files:
        app.write(f"\n{files['infra.yaml']}")
    if description:
        app.write("")
