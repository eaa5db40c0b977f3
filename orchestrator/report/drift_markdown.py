"""Drift in Markdown: the summary of a run, and one stack as the body of an issue."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.plan.drift_model import DriftedResource
from orchestrator.report import drift_words as words
from orchestrator.report.drift import DriftReport, StackDrift
from orchestrator.report.escape import cell, cell_code, code, fence, text
from orchestrator.report.markdown import row, table
from orchestrator.report.words import plural

# A step summary may have 1 MiB, an issue 65,536 characters: what is beyond is counted, not shown.
MOST_RESOURCES = 50
MOST_ATTRIBUTES = 40
LONGEST = 60_000


def summary(report: DriftReport) -> str:
    """A whole run: a table, then each stack that drifted or could not be checked."""
    lines = [f"## Drift: {words.verdict(report)}", ""]
    rows = []
    for stack in report.by_attention():
        why = stack.reason or (f"pending: {stack.pending}" if stack.pending else "")
        cells = (
            cell_code(stack.id),
            stack.result,
            stack.severity,
            words.counts_words(stack),
            words.since_words(stack),
            cell(why) if why else "",
        )
        rows.append(row(cells))
    if rows:
        lines.append(table(("Stack", "Result", "Severity", "Attributes", "Since", ""), rows))
    for stack in report.by_attention():
        if stack.loud or stack.failed:
            lines += ["", f"#### {code(stack.id)}", "", *stack_lines(stack)]
    found = list(words.findings(report))
    if found:
        lines += ["", *(f"- {text(line)}" for line in found)]
    return cut("\n".join(lines).rstrip() + "\n", 1_000_000)


def issue_body(stack: StackDrift) -> str:
    """One stack: what drifted, since when, who did it as far as it is known, and what to do."""
    lines = list(stack_lines(stack))
    lines += ["", "**What can be done**", ""]
    kinds = {one.category for one in stack.loud}
    if kinds & {"reverted", "conflict", "owed"}:
        lines.append(f"- Put it back: {code(f'infra drift {stack.id} --fix --action revert')}.")
    if "codified" in kinds:
        accept = code(f"infra drift {stack.id} --fix --action accept")
        lines.append(f"- The code says the same already, and the state need only take it in: {accept}.")
    lines.append(f"- Keep it: {code(f'infra drift {stack.id} --fix --action pr')} writes it into the code.")
    lines.append("- Let it be: a rule under `drift.ignore` in infra.yaml, with a reason and a last day.")
    return cut("\n".join(lines) + "\n", LONGEST)


def stack_lines(stack: StackDrift) -> Iterator[str]:
    """What is to be said of one stack."""
    if stack.failed:
        yield f"Could not be checked: {text(stack.reason)}"
        if stack.advice:
            yield ""
            yield text(stack.advice)
        return
    known = [f"Severity **{stack.severity}**" if stack.severity else "", words.since_words(stack)]
    known.append(f"compared with {code(stack.commit[:10])}" if stack.commit else "")
    yield ", ".join(part for part in known if part) + "."
    for note in stack.notes:
        yield ""
        yield text(note)
    loud = stack.loud
    for resource in loud[:MOST_RESOURCES]:
        yield ""
        yield from resource_lines(resource)
    if len(loud) > MOST_RESOURCES:
        yield ""
        yield f"… and {plural(len(loud) - MOST_RESOURCES, 'resource')} more."
    if stack.pending:
        yield ""
        yield f"Apart from drift, trunk owes it something: {text(stack.pending)}."
    left_out = words.hidden_words(stack)
    if left_out:
        yield ""
        yield left_out


def resource_lines(resource: DriftedResource) -> Iterator[str]:
    """One resource, and its attributes in a fence."""
    told = words.told_by(resource)
    happened = text(words.happened(resource))
    yield f"{code(resource.address)} {happened}{f', {text(told)}' if told else ''}"
    loud = resource.loud
    if loud:
        shown = [f"{one.category:<9} {words.attribute_words(one)}" for one in loud[:MOST_ATTRIBUTES]]
        if len(loud) > MOST_ATTRIBUTES:
            shown.append(f"… and {plural(len(loud) - MOST_ATTRIBUTES, 'attribute')} more")
        yield ""
        yield fence("\n".join(shown))


def cut(body: str, limit: int) -> str:
    """At most `limit` bytes, cut at the end of a line and outside a fence."""
    if len(body.encode()) <= limit:
        return body
    kept = body.encode()[: limit - 200].decode("utf-8", "ignore").rsplit("\n", 1)[0]
    if sum(line.startswith("```") for line in kept.splitlines()) % 2:
        kept += "\n```"
    return f"{kept}\n\n… The rest is left out: `infra drift` shows all of it.\n"
