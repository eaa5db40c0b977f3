"""Random code with many resources, before and after a change: one plan of it has many kinds of values."""

from __future__ import annotations

import json
import random

_WORDS = (
    "a",
    "b-c",
    "password",
    "é ü",
    "x.y",
    'say "hi"',
    "line\nend",
    "${",
    "0",
    "1e3",
    "true",
    "%{",
    "\t\\",
)
_NUMBERS = (
    "0",
    "-1",
    "1.5",
    "0.1",
    "1e22",
    "123456789012345678901234567890",
    "-0.000001",
    "9007199254740992",
)
# Known after the apply wherever `anchor` is replaced; in clear, and marked.
_ANCHORED = "terraform_data.anchor.id"
_VARIABLES = """
variable "hidden" {
  sensitive = true
  default   = "hunter2-hunter2"
}
variable "plain" {
  type    = list(string)
  default = ["x", 5, true]
}
"""
# Created first in both, as Terraform has it anyhow below what is created before it is destroyed: where that
# differs between the two, Terraform's own plan can end with "Error: Cycle".
_ANCHOR = """
resource "terraform_data" "anchor" {
  triggers_replace = "%s"
  lifecycle {
    create_before_destroy = true
  }
}
"""


def random_roots(seed: int, count: int) -> tuple[str, str]:
    """The code of a root module before and after a change, with `count` resources in each."""
    chance = random.Random(seed)
    bodies = {f"r{number}": _resource(chance) for number in range(count)}
    before = [_VARIABLES, _ANCHOR % "one", *_blocks(bodies), _outputs(chance)]
    remaining = {name: body for name, body in bodies.items() if chance.random() < 0.8}
    changed = {name: _resource(chance) if chance.random() < 0.6 else body for name, body in remaining.items()}
    added = {f"n{number}": _resource(chance) for number in range(count - len(changed))}
    moved = [name for name in changed if chance.random() < 0.1]
    renamed = {(f"m_{name}" if name in moved else name): body for name, body in changed.items()}
    moves = [
        f"moved {{\n  from = terraform_data.{name}\n  to = terraform_data.m_{name}\n}}\n" for name in moved
    ]
    after = [_VARIABLES, _ANCHOR % "two", *_blocks({**renamed, **added}), *moves, _outputs(chance)]
    return "\n".join(before), "\n".join(after)


def _blocks(bodies: dict[str, str]) -> list[str]:
    return [f'resource "terraform_data" "{name}" {{\n{body}}}\n' for name, body in bodies.items()]


def _outputs(chance: random.Random) -> str:
    hidden = f'output "hidden" {{\n  value     = [var.hidden, {_value(chance, 3)}]\n  sensitive = true\n}}\n'
    return hidden + f'output "plain" {{\n  value = nonsensitive({_value(chance, 3, marks=False)})\n}}\n'


def _resource(chance: random.Random) -> str:
    body = f"  input = {_value(chance, 4)}\n"
    if chance.random() < 0.3:
        body += f"  triggers_replace = {_value(chance, 2)}\n"
    if chance.random() < 0.2:
        body += "  lifecycle {\n    create_before_destroy = true\n  }\n"
    return body


def _value(chance: random.Random, depth: int, *, marks: bool = True) -> str:
    kind = chance.randrange(12 if depth else 6)
    match kind:
        case 0:
            return "null"
        case 1:
            return chance.choice(("true", "false"))
        case 2:
            return chance.choice(_NUMBERS)
        case 3 | 4:
            text = json.dumps(chance.choice(_WORDS), ensure_ascii=False)
            return text.replace("${", "$${").replace("%{", "%%{")
        case 5:
            known = (_ANCHORED, "tolist(var.plain)", f'toset([{_ANCHORED}, "a"])')
            hidden = ("var.hidden", 'sensitive(["list-hunter"])', f"sensitive({_ANCHORED})")
            return chance.choice([*known, *hidden] if marks else known)
    items = [_value(chance, depth - 1, marks=marks) for _ in range(chance.randrange(4))]
    match kind:
        case 6 | 7:
            return f"[{', '.join(items)}]"
        case 8:
            texts = ", ".join(f'"{chance.choice("abc")}{at}"' for at in range(len(items)))
            return f"toset([{texts}])"
        case 9:
            return f"tomap({{ {', '.join(f'k{at} = tostring({at})' for at in range(len(items)))} }})"
        case _:
            return f"{{ {', '.join(f'k{at} = {item}' for at, item in enumerate(items))} }}"
