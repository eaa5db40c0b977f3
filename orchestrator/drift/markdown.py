"""Renders drift as Markdown: the summary of a run, and one stack as the body of an issue."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.drift import text as words
from orchestrator.drift.model import DriftedResource
from orchestrator.drift.report import DriftReport, StackDrift
from orchestrator.report.escape import cell, cell_code, code, fence, text
from orchestrator.report.markdown import row, table
from orchestrator.report.words import plural

# A step summary may have 1 MiB, an issue 65,536 characters: what is beyond is counted, not shown.
MOST_RESOURCES = 50
MOST_ATTRIBUTES = 40
LONGEST = 60_000


def render_summary(report: DriftReport) -> str:
    """A whole run: a table, then each stack that drifted or could not be checked."""
    lines = [f"## Drift: {words.render_verdict(report)}", ""]
    rows = []
    for stack in report.by_attention():
        why = stack.reason or (f"pending: {stack.pending}" if stack.pending else "")
        cells = (
            cell_code(stack.id),
            stack.result,
            stack.severity,
            words.format_counts(stack),
            words.describe_since(stack),
            cell(why) if why else "",
        )
        rows.append(row(cells))
    if rows:
        lines.append(table(("Stack", "Result", "Severity", "Attributes", "Since", ""), rows))
    for stack in report.by_attention():
        if stack.loud or stack.failed:
            lines += ["", f"#### {code(stack.id)}", "", *render_stack(stack)]
    findings = list(words.list_findings(report))
    if findings:
        lines += ["", *(f"- {text(line)}" for line in findings)]
    return truncate("\n".join(lines).rstrip() + "\n", 1_000_000)


def render_issue_body(stack: StackDrift) -> str:
    """One stack as the body of an issue: what drifted, since when, by whom if known, and what to do."""
    lines = list(render_stack(stack))
    lines += ["", "**What can be done**", ""]
    kinds = {resource.category for resource in stack.loud}
    if kinds & {"reverted", "conflict", "unapplied"}:
        lines.append(f"- Put it back: {code(f'infra drift {stack.id} --fix --action revert')}.")
    if "codified" in kinds:
        accept = code(f"infra drift {stack.id} --fix --action accept")
        lines.append(f"- The code says the same already, and the state need only take it in: {accept}.")
    lines.append(f"- Keep it: {code(f'infra drift {stack.id} --fix --action pr')} writes it into the code.")
    lines.append("- Let it be: a rule under `drift.ignore` in infra.yaml, with a reason and a last day.")
    return truncate("\n".join(lines) + "\n", LONGEST)


def render_stack(stack: StackDrift) -> Iterator[str]:
    """The lines about one stack."""
    if stack.failed:
        yield f"Could not be checked: {text(stack.reason)}"
        if stack.advice:
            yield ""
            yield text(stack.advice)
        return
    facts = [f"Severity **{stack.severity}**" if stack.severity else "", words.describe_since(stack)]
    facts.append(f"compared with {code(stack.commit[:10])}" if stack.commit else "")
    yield ", ".join(part for part in facts if part) + "."
    for note in stack.notes:
        yield ""
        yield text(note)
    loud = stack.loud
    for resource in loud[:MOST_RESOURCES]:
        yield ""
        yield from _render_resource(resource)
    if len(loud) > MOST_RESOURCES:
        yield ""
        yield f"… and {plural(len(loud) - MOST_RESOURCES, 'resource')} more."
    if stack.pending:
        yield ""
        yield f"It also has changes on trunk that are not applied: {text(stack.pending)}."
    left_out = words.describe_hidden(stack)
    if left_out:
        yield ""
        yield left_out


def _render_resource(resource: DriftedResource) -> Iterator[str]:
    """One resource, and its attributes in a fence."""
    author = words.describe_author(resource)
    happened = text(words.describe_change(resource))
    yield f"{code(resource.address)} {happened}{f', {text(author)}' if author else ''}"
    loud = resource.loud
    if loud:
        lines = [
            f"{attribute.category:<9} {words.format_attribute(attribute)}"
            for attribute in loud[:MOST_ATTRIBUTES]
        ]
        if len(loud) > MOST_ATTRIBUTES:
            lines.append(f"… and {plural(len(loud) - MOST_ATTRIBUTES, 'attribute')} more")
        yield ""
        yield fence("\n".join(lines))


def truncate(body: str, limit: int) -> str:
    """At most `limit` bytes, cut at the end of a line and outside a fence."""
    if len(body.encode()) <= limit:
        return body
    shortened = body.encode()[: limit - 200].decode("utf-8", "ignore").rsplit("\n", 1)[0]
    if sum(line.startswith("```") for line in shortened.splitlines()) % 2:
        shortened += "\n```"
    return f"{shortened}\n\n… The rest is left out: `infra drift` shows all of it.\n"
