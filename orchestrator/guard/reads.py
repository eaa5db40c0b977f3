"""Calls of functions that read files, wherever they stand in the code, and where its heredocs end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.guard.facts import Read
from orchestrator.project.hcl import Code, Node, body_of, syntax_tree
from orchestrator.project.text import GAP, literal

# Functions that read files, and one whose text may call them.
FUNCTIONS = frozenset(
    (
        *("file", "filebase64", "filebase64sha256", "filebase64sha512", "filemd5"),
        *("filesha1", "filesha256", "filesha512", "fileexists", "fileset", "templatefile", "templatestring"),
    )
)
FUNCTION = re.compile(rb"(?:template)?file\w*|templatestring")
HEREDOC = re.compile(rb"<<-?")
# Where a template begins after three signs, Terraform and the parser here do not agree.
UNCLEAR = re.compile(rb"\${3,}\{|%{3,}\{")


def template_reads(text: str) -> tuple[tuple[Read, ...], tuple[int | None, str] | None]:
    """What a template outside HCL (a string of JSON, a template file) reads by functions; what is unclear."""
    raw = text.encode("utf-8", "surrogateescape")
    if not FUNCTION.search(raw):
        return (), None
    data = b"_ = <<INFRA_TEMPLATE\n" + raw + b"\nINFRA_TEMPLATE\n"
    root, broken = syntax_tree(data)
    if broken or UNCLEAR.search(raw):
        return (), (None, "a template in it does not parse")
    code = Code(data)
    return tuple(reads_of(code, root)), unclear_heredoc(code, root)


def reads_of(code: Code, root: Node) -> Iterator[Read]:
    """Every call of such a function; comments may stand between its name and its parentheses."""
    for match in FUNCTION.finditer(code.data):
        node = root.descendant_for_byte_range(match.start(), match.end())
        call = node.parent if node is not None and node.type == "identifier" else None
        if node is None or call is None or call.type != "function_call":
            continue
        name = code.raw(node).rpartition("::")[2]
        if name in FUNCTIONS and node == call.named_children[0]:
            yield _read(code, call, name)


def _read(code: Code, call: Node, name: str) -> Read:
    arguments = code.arguments(call)
    path = code.text(arguments[0]) if arguments else ()
    pattern = code.text(arguments[1]) if name == "fileset" and len(arguments) > 1 else None
    # What a template does cannot be known without knowing which one it is.
    listed = name not in ("templatefile", "fileset") and GAP in path and _listed(code, arguments[0])
    return Read(name, path, code.line(call), pattern, listed)


def _listed(code: Code, argument: Node) -> bool:
    """Whether every open part of a path, each after a slash, is a name that `fileset` found."""
    template = argument.named_children[0] if argument.named_child_count == 1 else None
    quoted = template.named_children[0] if template is not None and template.type == "template_expr" else None
    if quoted is None or quoted.type != "quoted_template":
        return False
    for part in quoted.named_children:
        if part.type == "template_directive":
            return False
        if part.type != "template_interpolation":
            continue
        expression = next((one for one in part.named_children if one.type == "expression"), None)
        if expression is None:
            return False
        if GAP in code.text(expression):
            slash = code.data[part.start_byte - 1 : part.start_byte] == b"/"
            if not slash or not _from_fileset(code, expression):
                return False
    return True


def _from_fileset(code: Code, expression: Node) -> bool:
    """Whether a name (`each.value`, or one that a `for` binds) goes through what `fileset` found."""
    name = code.raw(expression).strip()
    if name in ("each.value", "each.key"):
        block = _outermost_block(expression)
        given = dict(code.attributes(body_of(block))) if block is not None else {}
        return "for_each" in given and _is_fileset(code, given["for_each"])
    node = expression.parent
    bound_here = True
    while node is not None:
        if node.type == "for_intro":
            # A collection is looked at before its names are bound.
            bound_here = False
        elif node.type in ("for_tuple_expr", "for_object_expr"):
            intro = next(one for one in node.named_children if one.type == "for_intro")
            names = [code.raw(one) for one in intro.named_children if one.type == "identifier"]
            if bound_here and name in names:
                return _is_fileset(code, intro.named_children[-1])
            bound_here = True
        node = node.parent
    return False


def _outermost_block(node: Node | None) -> Node | None:
    found = None
    while node is not None:
        found = node if node.type == "block" else found
        node = node.parent
    return found


def _is_fileset(code: Code, expression: Node) -> bool:
    """`fileset(…, "pattern")`, whose pattern stays below its folder, or a `toset` of it."""
    call = expression.named_children[0] if expression.named_child_count == 1 else None
    if call is None or call.type != "function_call":
        return False
    name, arguments = code.raw(call.named_children[0]), code.arguments(call)
    if name == "toset" and len(arguments) == 1:
        return _is_fileset(code, arguments[0])
    if name != "fileset" or len(arguments) != 2:
        return False
    pattern = literal(code.text(arguments[1]))
    return pattern is not None and ".." not in pattern.split("/") and not pattern.startswith("/")


def unclear_heredoc(code: Code, root: Node) -> tuple[int | None, str] | None:
    """The first heredoc that does not end where Terraform ends it: at the first line that is its word."""
    for match in HEREDOC.finditer(code.data):
        node = root.descendant_for_byte_range(match.start(), match.end())
        while node is not None and node.type != "heredoc_template":
            node = node.parent
        if node is not None and node.start_byte == match.start() and not _ends_well(code, node):
            return code.line(node), "where its heredoc ends is not clear"
    return None


def _ends_well(code: Code, node: Node) -> bool:
    marks = [child for child in node.named_children if child.type == "heredoc_identifier"]
    if len(marks) < 2:
        return False
    word = code.raw(marks[0])
    first = code.data.find(b"\n", marks[0].end_byte) + 1
    end = code.data.find(b"\n", marks[-1].start_byte)
    lines = code.data[first : end if end >= 0 else len(code.data)].decode("utf-8", "replace").split("\n")
    return [number for number, line in enumerate(lines) if line.strip() == word] == [len(lines) - 1]
