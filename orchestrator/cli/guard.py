"""`infra guard`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import (
    JsonOptions,
    json_option,
    with_options,
)
from orchestrator.cli.support.completers import complete_stacks
from orchestrator.errors import Exit

if TYPE_CHECKING:
    from orchestrator.config.rules import Guard
    from orchestrator.guard.check import GuardResult
    from orchestrator.repository.model import Project, Stack

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
@click.option("--base", metavar="REF", help="Compare with the merge base of REF (default: trunk).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github", "sarif"]),
    default="text",
    help="The output format: text, annotations for GitHub, or SARIF for code scanning.",
)
@click.option(
    "--suggest", is_flag=True, help="Print the entries of infra.yaml that would accept the findings."
)
@json_option
@with_options(GuardOptions)
def command(app: App, options: GuardOptions) -> int:
    """Check code against the rules before Terraform runs. Exits with 4 if there are findings.

    Runs nothing. The rules come from infra.yaml on trunk; docs/policy.md explains each one.

    Without a name, checks the stacks that differ from trunk and those that read them.
    """
    from orchestrator.guard.check import changed_paths, check_project, planned_stacks
    from orchestrator.repository.affected import base_commit
    from orchestrator.repository.selection import select

    head = app.project(for_guard=True)
    commit = base_commit(head, options.base)
    before = _before(head, commit)
    stacks: Collection[str] = (
        select(head, options.stacks, app.cwd) if options.stacks else planned_stacks(head, before)
    )
    changed = changed_paths(head, before) if before else ()
    rules = (before or head).config.guard
    project = check_project(head, before, changed, rules, stacks=stacks)
    code = int(Exit.BLOCKED if any(finding.severity == "error" for finding in project.findings) else Exit.OK)
    chosen = [stack for stack in head.stacks.values() if stack.id in set(stacks)]
    if options.suggest:
        return _print_suggestions(app, project, rules, before or head)
    return _print_result(app, project, code, options.form, chosen, commit)


def _before(head: Project, commit: str | None) -> Project | None:
    """The project at the base; None where there is none."""
    from orchestrator.repository.loading import load_commit

    return load_commit(head, commit) if commit else None


def _print_suggestions(app: App, result: GuardResult, rules: Guard, trusted: Project) -> int:
    """The entries that would accept what was found; always exit code 0."""
    from dataclasses import asdict

    from orchestrator.guard.allowlist import allowed_by
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


def _print_result(
    app: App, result: GuardResult, code: int, form: str, stacks: list[Stack], base: str | None
) -> int:
    """The result in the form that was requested; returns the exit code."""
    from orchestrator.forge.factory import annotate_findings
    from orchestrator.report import findings
    from orchestrator.report.documents import finding_document, findings_fields
    from orchestrator.report.findings import LintReport
    from orchestrator.report.sarif import render

    report = LintReport(result.findings, result.accepted)
    if app.json:
        return app.emit(
            "guard",
            code,
            run=None,
            base=base,
            stacks=[{"id": stack.id, "environment": stack.environment} for stack in stacks],
            accepted=[{**finding_document(finding), "reason": why} for finding, why in result.accepted],
            **findings_fields(result.findings, "BlockedError"),
        )
    if form == "sarif":
        app.write(render(report).rstrip("\n"))
        return code
    lines = annotate_findings(result.findings) if form == "github" else findings.render_lines(report)
    for line in lines:
        app.write(line)
    return code
