"""`infra ci report`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from orchestrator.cli.app import App
from orchestrator.cli.options import JsonOptions, json_option, with_options
from orchestrator.errors import Exit, UsageError

if TYPE_CHECKING:
    from orchestrator.report.review import HookReport
    from orchestrator.review.report_input import ChangeFolders, ReportInput

EPILOG = """\b
Examples:
  infra ci report                        run the report hooks for this branch, and print what they write
  infra ci report --markdown report.md   in another CI, which posts report.md itself
  infra ci report --pack input           in a job that may read: what a job without any right needs
  infra ci report --input input --plans plans --code head --report report     in that job
"""


@dataclass(frozen=True, kw_only=True)
class CiReportOptions(JsonOptions):
    """The options of `infra ci report`."""

    pack: str | None
    input: str | None
    plans: str | None
    code: str | None
    environments: tuple[str, ...]
    report: str | None
    markdown: str | None
    base: str | None


@click.command(epilog=EPILOG)
@click.option("--pack", metavar="DIR", help="Write to DIR what the hooks need; run none.")
@click.option("--input", metavar="DIR", help="Run the hooks on what --pack wrote; needs no checkout.")
@click.option("--plans", metavar="DIR", help="The reports of plan jobs, for the hooks to read.")
@click.option("--code", type=click.Choice(["base", "head"]), help="Only hooks that run with this code.")
@click.option("--env", "environments", multiple=True, metavar="ENV", help="Only this environment.")
@click.option("--report", metavar="DIR", help="Write DIR/hook-reports-CODE.json for `infra ci comment`.")
@click.option("--markdown", metavar="FILE", help="Write the reports to FILE.")
@click.option("--base", metavar="REF", help="Compare with the merge base of REF.")
@json_option
@with_options(CiReportOptions)
def command(app: App, options: CiReportOptions) -> int:
    """Run the `report` hooks of trunk's infra.yaml for a change.

    Which programs run is decided on trunk. They get no credentials. Those with `code: head` are code of the
    change itself: run them in a job that has no rights, or for a branch that you trust.
    """
    from orchestrator.config import load
    from orchestrator.engine.hooks import HookProcess
    from orchestrator.masking import Masker
    from orchestrator.process import Supervisor
    from orchestrator.review.hook_reports import HookReports, write_hook_reports
    from orchestrator.review.plan_reports import read_reports
    from orchestrator.review.report_input import run_report_hooks

    if options.pack:
        return _pack(app, options, options.pack)
    if options.report and not options.code:
        raise UsageError("--report is of one --code.", advice="Add `--code base` or `--code head`.")
    folder = app.cwd / options.plans if options.plans else None
    plans = read_reports([folder]).reports if folder and folder.exists() else ()
    supervisor = Supervisor()
    with _input(app, options) as (data, folders), supervisor.handling_signals(lambda processes: 1):
        masker = Masker(load(folders.base).masking) if data.hooks else Masker()
        process = HookProcess(supervisor, app.environ, masker.mask_text)
        codes = [options.code] if options.code else ["base", "head"]
        reports = [
            report for code in codes for report in run_report_hooks(process, data, folders, code, plans)
        ]
    if options.report and options.code:
        written = HookReports(data.pull_request, data.head, data.commit, options.code, tuple(reports))
        path = write_hook_reports(app.cwd / options.report, written)
        app.note(f"{len(reports)} in {path}")
    return _print(app, options, reports)


def _pack(app: App, options: CiReportOptions, folder: str) -> int:
    """Packs the input of the hooks; the output `reports` of the step says whether any is due."""
    from orchestrator.forge.factory import read_event, set_outputs
    from orchestrator.report.words import plural
    from orchestrator.review.pull_request.scope import read_scope
    from orchestrator.review.report_input import make_input, pack

    event = read_event(app.environ)
    project = app.project()
    scope = read_scope(project, event, options.base)
    data = make_input(scope, event, scope.chosen(options.environments))
    pack(app.cwd / folder, data, project.repository)
    set_outputs(app.environ, {"reports": str(bool(data.hooks)).lower()})
    if app.json:
        return app.emit("ci report", reports=[], hooks=len(data.hooks))
    app.write(f"{plural(len(data.hooks), 'report hook')} due for this change")
    return 0


@contextmanager
def _input(app: App, options: CiReportOptions) -> Iterator[tuple[ReportInput, ChangeFolders]]:
    """What the hooks run on: from --input, else from the checkout as it is."""
    from orchestrator.forge.factory import read_event
    from orchestrator.review.pull_request.scope import read_scope
    from orchestrator.review.report_input import ChangeFolders, checked_out, make_input, unpacked

    if options.input:
        with unpacked(app.cwd / options.input) as (data, folders):
            yield data, folders
        return
    event = read_event(app.environ)
    project = app.project()
    scope = read_scope(project, event, options.base)
    data = make_input(scope, event, scope.chosen(options.environments))
    with checked_out(project.repository, {"base": data.base} if data.hooks else {}) as top:
        yield data, ChangeFolders(top["base"] / data.prefix if top else project.root, project.root)


def _print(app: App, options: CiReportOptions, reports: Sequence[HookReport]) -> int:
    """Prints the reports as the comment will show them, or writes them to a file; returns the exit code."""
    from dataclasses import asdict

    from orchestrator.cli.support.reports import write_file
    from orchestrator.report.hook_reports import render_reports
    from orchestrator.report.words import plural

    failed = [report for report in reports if report.problem]
    code = int(Exit.ERROR if failed else Exit.OK)
    text = "\n\n".join(part.whole or part.short for part in render_reports(reports))
    if options.markdown:
        write_file(app, options.markdown, f"{text}\n" if text else "")
    if app.json:
        return app.emit("ci report", code, reports=[asdict(report) for report in reports], hooks=len(reports))
    if not reports:
        app.write("No report hook of trunk's infra.yaml is due for this change.")
    elif not (options.markdown or options.report):
        app.write(text)
    for report in failed:
        app.note(f"error: report {report.name} of {report.stack or report.environment}: {report.problem}")
    if reports and not failed:
        app.note(f"{plural(len(reports), 'report')} in all")
    return code
