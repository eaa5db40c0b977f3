"""`infra catalog`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from orchestrator.cli.app import App
from orchestrator.cli.catalog_check import check
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import UsageError


@click.group(
    epilog="""\b
Examples:
  infra catalog list            all templates
  infra catalog show service    what one asks
  infra catalog check           make a stack of each and plan it on the sandbox
  infra catalog entities        the stacks for Backstage
  infra catalog form service    a form for Backstage
"""
)
def command() -> None:
    """Show and check the templates of `infra new`: those of infra itself, and `catalog` in infra.yaml."""


command.add_command(check)


@command.command(
    "list",
    epilog="""\b
Examples:
  infra catalog list
""",
)
@json_option
@with_options(JsonOptions)
def list_templates(app: App, options: JsonOptions) -> int:
    """Show all templates: what each makes, where it is, and at which version."""
    from rich.text import Text

    from orchestrator.catalog.entries import list_entries
    from orchestrator.cli.terminal.tables import make_table, print_pieces

    entries = list_entries(app.project(needs_stacks=False))
    if options.as_json:
        templates = [
            {
                "name": entry.name,
                "kind": entry.kind,
                "source": entry.source,
                "version": entry.version,
                "description": entry.description,
                "trusted": entry.is_trusted,
            }
            for entry in entries
        ]
        return app.emit("catalog list", templates=templates)
    table = make_table("template", "makes", "source", "version", "", whole=("template",))
    for entry in entries:
        table.add_row(
            Text(entry.name),
            Text(entry.kind),
            Text(entry.source),
            Text(entry.version[:10]),
            Text(entry.description, style="dim"),
        )
    print_pieces(app, iter([table]))
    return 0


@dataclass(frozen=True, kw_only=True)
class CatalogShowOptions(JsonOptions):
    """The options of `infra catalog show`."""

    name: str


@command.command(
    epilog="""\b
Examples:
  infra catalog show service
"""
)
@click.argument("name")
@json_option
@with_options(CatalogShowOptions)
def show(app: App, options: CatalogShowOptions) -> int:
    """Show the questions of a template with their defaults, for --data."""
    from rich.text import Text

    from orchestrator.catalog.entries import find_entry, template_folder
    from orchestrator.catalog.rendering import read_questions
    from orchestrator.cli.terminal.tables import make_table, print_pieces

    project = app.project(needs_stacks=False)
    entry = find_entry(project, options.name)
    with template_folder(project, entry) as folder:
        questions = read_questions(folder)
    if options.as_json:
        documents = [
            {
                "name": name,
                "type": str(question.get("type", "str")),
                "help": str(question.get("help", "")),
                "default": question.get("default"),
                "required": "default" not in question and "when" not in question,
            }
            for name, question in questions.items()
        ]
        return app.emit("catalog show", template=entry.name, questions=documents)
    table = make_table("question", "default", "")
    for name, question in questions.items():
        default = str(question["default"]) if "default" in question else "(none)"
        table.add_row(Text(name), Text(default), Text(str(question.get("help", "")), style="dim"))
    print_pieces(app, iter([table]))
    return 0


@dataclass(frozen=True, kw_only=True)
class CatalogEntitiesOptions(JsonOptions):
    """The options of `infra catalog entities`."""

    prints: bool


@command.command(
    epilog="""\b
Examples:
  infra catalog entities            writes catalog-info.yaml
  infra catalog entities --print
"""
)
@click.option("--print", "prints", is_flag=True, help="Print the file and do not write it.")
@json_option
@with_options(CatalogEntitiesOptions)
def entities(app: App, options: CatalogEntitiesOptions) -> int:
    """Write the stacks as entities of Backstage into catalog-info.yaml: owners by CODEOWNERS, dependencies.

    `infra new` keeps the file up to date from then on.
    """
    from orchestrator.catalog.entities import ENTITIES_FILE, render_entities, write_entities

    project = app.project()
    if not options.prints:
        write_entities(project)
    if options.as_json:
        return app.emit(
            "catalog entities", file=ENTITIES_FILE, entities=len(project.stacks), written=not options.prints
        )
    app.write(render_entities(project) if options.prints else ENTITIES_FILE)
    return 0


@dataclass(frozen=True, kw_only=True)
class CatalogFormOptions(JsonOptions):
    """The options of `infra catalog form`."""

    name: str
    repository: str | None


@command.command(
    epilog="""\b
Examples:
  infra catalog form service > template.yaml
  infra catalog form service --repository acme/infrastructure
"""
)
@click.argument("name")
@click.option(
    "--repository", metavar="OWNER/NAME", help="The repository on GitHub to propose to (default: origin's)."
)
@json_option
@with_options(CatalogFormOptions)
def form(app: App, options: CatalogFormOptions) -> int:
    """Print a template as a form for Backstage, which starts a workflow that opens a pull request.

    The workflow is infra-new.yml on trunk; docs/golden-paths.md has it.
    """
    from orchestrator.catalog.entries import find_entry, template_folder
    from orchestrator.catalog.rendering import read_questions
    from orchestrator.catalog.scaffolder import FormTarget, render_form
    from orchestrator.repository.repository_facts import read_facts

    project = app.project(needs_stacks=False)
    entry = find_entry(project, options.name)
    if entry.kind == "project":
        raise UsageError(
            "A new repository is not a pull request.", advice="`infra new project NAME` makes it."
        )
    facts = read_facts(project.coverage.source, project.repository.remote_url())
    known = facts.repository if facts.host == "github" else ""
    owner, _, name = (options.repository or known).partition("/")
    if not owner or not name or "/" in name:
        raise UsageError(
            "The repository on GitHub is not known.", advice="Name it: `--repository OWNER/NAME`."
        )
    with template_folder(project, entry) as folder:
        questions = read_questions(folder)
    text = render_form(entry, questions, FormTarget("github.com", owner, name, project.trunk_branch))
    if options.as_json:
        return app.emit("catalog form", template=entry.name, form=text)
    app.write(text)
    return 0
