"""Renders the generated parts of a README: tables of inputs and outputs, and examples.

They stand between comments (`<!-- inputs -->` … `<!-- /inputs -->`, `outputs`, `<!-- example: PATH -->` …
`<!-- /example -->`); all else in the file is its author's.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from orchestrator.report.tables import render_markdown_row
from orchestrator.repository.hcl import Block
from orchestrator.repository.model import Project
from orchestrator.repository.source import is_local
from orchestrator.repository.tree import inside

README = "README.md"
INPUTS = "inputs"
OUTPUTS = "outputs"
REQUIRED = "required"
PART = re.compile(
    r"(?P<open><!-- (?P<kind>example): ?(?P<path>[^\n]*?) ?-->\n|<!-- (?P<plain>inputs|outputs) -->\n)"
    r"(?P<body>.*?)(?P<close><!-- /(?:(?P=kind)|(?P=plain)) -->)",
    re.DOTALL,
)
TOKEN = re.compile(
    r'(?P<string>"(?:\\.|[^"\\])*")|(?P<comment>(?:#|//)[^\n]*|/\*.*?\*/)|(?P<line>\n)|(?P<blank>[ \t\r]+)'
    r"|(?P<open>[\[({])|(?P<close>[\])}])|(?P<comma>,)|(?P<word>[^\s\"\[\](){},#/]+|/)",
    re.DOTALL,
)
SOURCE = re.compile(r'(?m)^(\s*source\s*=\s*")([^"]+)(")')


def render_readme(project: Project, folder: str, text: str) -> str:
    """A README's text with every part as the code in `folder` has it now."""
    blocks = project.coverage.source.blocks(folder)

    def part(match: re.Match[str]) -> str:
        kind = match["kind"] or match["plain"]
        if kind == INPUTS:
            body = inputs_table(blocks)
        elif kind == OUTPUTS:
            body = outputs_table(blocks)
        else:
            code = example(project, folder, match["path"])
            body = match["body"] if code is None else code
        return match["open"] + body + match["close"]

    return PART.sub(part, text)


def stale_lines(before: str, after: str) -> Iterator[int]:
    """The lines at which parts begin that are not as they should be."""
    for old, new in zip(PART.finditer(before), PART.finditer(after), strict=True):
        if old["body"] != new["body"]:
            yield before[: old.start()].count("\n") + 1


def inputs_table(blocks: list[tuple[str, Block]]) -> str:
    """Variables, those that must be given first."""
    variables = [variable for _, file in blocks for variable in file.of("variable")]
    rows = [
        (
            f"`{variable.name}`",
            _description(variable),
            f"`{on_one_line(variable.attributes['type'].source)}`"
            if "type" in variable.attributes
            else "any",
            f"`{on_one_line(variable.attributes['default'].source)}`"
            if "default" in variable.attributes
            else REQUIRED,
        )
        for variable in sorted(variables, key=lambda block: ("default" in block.attributes, block.name))
    ]
    return _table(("Name", "Description", "Type", "Default"), rows, "No inputs.")


def outputs_table(blocks: list[tuple[str, Block]]) -> str:
    """Outputs by name."""
    outputs = sorted(
        (output for _, file in blocks for output in file.of("output")), key=lambda block: block.name
    )
    return _table(
        ("Name", "Description"),
        [(f"`{output.name}`", _description(output)) for output in outputs],
        "No outputs.",
    )


def example(project: Project, folder: str, name: str) -> str | None:
    """An example's code as one who copies it would write it; None when there is no such file."""
    path = project.tree.find(posixpath.normpath(posixpath.join(folder, name)))
    if path is None:
        return None
    home = posixpath.dirname(path)
    root = str(project.config.roots.modules)

    def from_a_stack(match: re.Match[str]) -> str:
        target = inside(posixpath.join(home, match[2])) if is_local(match[2]) else None
        if target is None or not target.startswith(f"{root}/"):
            return match[0]
        return f"{match[1]}../../../{posixpath.basename(root)}/{target[len(root) + 1 :]}{match[3]}"

    code = SOURCE.sub(from_a_stack, project.tree.read(path).decode("utf-8", "replace"))
    return f"```hcl\n{code.rstrip()}\n```\n"


def on_one_line(source: str) -> str:
    """An expression on one line."""
    out = ""
    above: list[str] = []
    waiting = ""
    for match in TOKEN.finditer(source):
        kind, text = match.lastgroup, match[0]
        if kind in ("blank", "comment"):
            waiting = waiting or " "
        elif kind == "line":
            waiting = "," if above and above[-1] == "{" and not out.endswith(("{", ",")) else waiting or " "
        elif kind == "comma":
            waiting = ","
        elif kind == "close":
            above.pop() if above else None
            out += (" " if text == "}" and not out.endswith("{") else "") + text
            waiting = ""
        else:
            out += _gap(out, waiting) + text
            waiting = ""
            if kind == "open":
                above.append(text)
    return out


def _gap(out: str, waiting: str) -> str:
    """What stands between what was written and the next word."""
    if waiting == ",":
        return ", "
    if out.endswith("{"):
        return " "
    return "" if out.endswith(("(", "[")) else waiting


def _description(block: Block) -> str:
    attribute = block.attributes.get("description")
    if attribute is None:
        return ""
    value = attribute.value if attribute.value is not None else attribute.source
    return " ".join(value.split())


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], empty: str) -> str:
    if not rows:
        return f"{empty}\n"
    lines = [render_markdown_row(head), "|" + "---|" * len(head), *map(render_markdown_row, rows)]
    return "\n".join(lines) + "\n"
