"""`infra guard`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.complete import stacks as complete_stacks
from orchestrator.cli.context import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit

if TYPE_CHECKING:
    from orchestrator.config.rules import Guard
    from orchestrator.guard.check import GuardResult
    from orchestrator.project.model import Project, Stack

EPILOG = """\b
Examples:
  infra guard                      what your branch changes, and what that reaches
  infra guard dev 'prod/*'         these stacks, changed or not
  infra guard --base HEAD~1 --json
  infra guard --format sarif > guard.sarif
  infra guard '**' --suggest        what an owner would add to infra.yaml for all that is here
"""


@dataclass(frozen=True, kw_only=True)
class GuardOptions(JsonOptions):
    """The options of `infra guard`."""

    stacks: tuple[str, ...]
    base: str | None
    form: str
    suggest: bool


@click.command(epilog=EPILOG)
@click.argument("stacks", nargs=-1, metavar="[ENV | ENV/STACK | GLOB]...", shell_complete=complete_stacks)
@click.option("--base", metavar="REF", help="Compare with where the work parted from REF (default: trunk).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github", "sarif"]),
    default="text",
    help="For people, for GitHub's annotations, or for code scanning.",
)
@click.option("--suggest", is_flag=True, help="Print entries of infra.yaml that would accept what is found.")
@json_option
@with_options(GuardOptions)
def command(app: App, options: GuardOptions) -> int:
    """Check code for what is not allowed: programs, ways out, files from elsewhere. Exit 4 if there is any.

    Nothing is run. The rules are those of infra.yaml on trunk; docs/policy.md says what each is for.
    """
    from orchestrator.guard.check import changed_paths, check_project, planned_stacks
    from orchestrator.project.affected import base_commit
    from orchestrator.project.select import select

    head = app.project(for_guard=True)
    commit = base_commit(head, options.base)
    before = _before(head, commit)
    wanted: Collection[str] = (
        select(head, options.stacks, app.cwd) if options.stacks else planned_stacks(head, before)
    )
    changed = changed_paths(head, before) if before else ()
    rules = (before or head).config.guard
    found = check_project(head, before, changed, rules, stacks=wanted)
    code = int(Exit.BLOCKED if any(one.severity == "error" for one in found.findings) else Exit.OK)
    chosen = [stack for stack in head.stacks.values() if stack.id in set(wanted)]
    if options.suggest:
        return show_suggestions(app, found, rules, before or head)
    return tell(app, found, code, options.form, chosen, commit)


def _before(head: Project, commit: str | None) -> Project | None:
    """The project at the base; None where there is none."""
    from orchestrator.project import load_commit

    return load_commit(head, commit) if commit else None


def show_suggestions(app: App, result: GuardResult, rules: Guard, trusted: Project) -> int:
    """The entries that would accept what was found; always exit code 0."""
    from dataclasses import asdict

    from orchestrator.guard.allowed import allowed_by
    from orchestrator.guard.suggestions import render_suggestions
    from orchestrator.guard.suggestions import suggest as suggestions_for

    suggestions = suggestions_for(result.findings)
    if app.json:
        entries = [asdict(entry) for entry in suggestions]
        return app.emit("guard", int(Exit.OK), run=None, stacks=[], errors=[], suggestions=entries)
    allowed = allowed_by(rules, [trusted])
    present = {
        "providers": rules.providers,
        "modules": rules.modules,
        "backends": allowed.backends,
        "buckets": allowed.buckets,
    }
    app.write(render_suggestions(suggestions, present).rstrip("\n"))
    return int(Exit.OK)


def tell(app: App, found: GuardResult, code: int, form: str, stacks: list[Stack], base: str | None) -> int:
    """The result in the form that was asked for; returns the exit code."""
    from orchestrator.project.documents import finding_document, told_document
    from orchestrator.report import annotate, findings_text
    from orchestrator.report.findings import LintReport
    from orchestrator.report.sarif import render

    report = LintReport(found.findings, found.accepted)
    if app.json:
        return app.emit(
            "guard",
            code,
            run=None,
            base=base,
            stacks=[{"id": one.id, "environment": one.environment} for one in stacks],
            accepted=[{**finding_document(one), "reason": why} for one, why in found.accepted],
            **told_document(found.findings, "BlockedError"),
        )
    if form == "sarif":
        app.write(render(report).rstrip("\n"))
        return code
    lines = annotate.of_findings(found.findings) if form == "github" else findings_text.lines(report)
    for line in lines:
        app.write(line)
    return code
