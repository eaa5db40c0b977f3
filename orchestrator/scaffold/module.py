"""A new module: code, a test that passes, an example, and a README whose tables come from the code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.atomic_files import write_below
from orchestrator.errors import StateError, UsageError
from orchestrator.quality.readme import inputs_table, outputs_table
from orchestrator.repository.hcl import read
from orchestrator.repository.model import Project

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

MAIN = """\
# Put the module's resources here; this one stands for them, and needs no provider.
resource "terraform_data" "this" {
  input = var.name
}
"""
VARIABLES = """\
variable "name" {
  description = "The name of what the module makes."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "Use 3 to 63 lower-case letters, digits and hyphens, beginning with a letter."
  }
}
"""
OUTPUTS = """\
output "name" {
  description = "The name of what was made."
  value       = terraform_data.this.output
}
"""
VERSIONS = """\
terraform {
  required_version = ">= 1.11"
}
"""
EXAMPLE = """\
module "{label}" {{
  source = "../.."

  name = "example"
}}
"""
TEST = """\
variables {
  name = "example"
}

run "it_has_the_name_that_was_given" {
  assert {
    condition     = output.name == "example"
    error_message = "The name reaches what is made."
  }
}

run "a_name_in_capitals_is_refused" {
  command = plan

  variables {
    name = "Example"
  }

  expect_failures = [var.name]
}

run "the_example_works" {
  module {
    source = "./examples/minimal"
  }

  assert {
    condition     = module.LABEL.name == "example"
    error_message = "What the README shows works."
  }
}
"""
README = """\
# {name}

What this module makes, and for whom.

## Example

<!-- example: examples/minimal/main.tf -->
```hcl
module "{label}" {{
  source = "../../../{folder}/{name}"

  name = "example"
}}
```
<!-- /example -->

## Inputs

<!-- inputs -->
{inputs}<!-- /inputs -->

## Outputs

<!-- outputs -->
{outputs}<!-- /outputs -->
"""


@dataclass(frozen=True)
class NewModule:
    """A module that was written: its path and its files, from the project's root."""

    path: str
    files: tuple[str, ...]


def new_module(project: Project, name: str) -> NewModule:
    """Write a module below the modules' folder; UsageError when its name is wrong or taken."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a module's name.",
            advice="Use lower-case letters, digits and single hyphens, beginning with a letter: my-service.",
        )
    roots = project.config.roots
    path = roots.modules / name
    folder = project.root / path
    if folder.exists():
        raise UsageError(f"{path} exists already.", advice="Choose another name, or change what is there.")
    files = contents(name, roots.modules.name)
    try:
        for file, text in files.items():
            write_below(project.root, str(path / file), text.encode())
    except OSError as error:
        raise StateError(
            f"{path} cannot be written: {error.strerror}.", advice="Who owns the folder?"
        ) from error
    return NewModule(str(path), tuple(str(path / file) for file in files))


def contents(name: str, folder: str) -> dict[str, str]:
    """The files of a new module, by their path in it. `folder` is the name of the modules' folder."""
    label = name.replace("-", "_")
    blocks = [
        (file, read(file, text.encode()).root)
        for file, text in (("variables.tf", VARIABLES), ("outputs.tf", OUTPUTS))
    ]
    tables = {"inputs": inputs_table(blocks), "outputs": outputs_table(blocks)}
    return {
        "main.tf": MAIN,
        "variables.tf": VARIABLES,
        "outputs.tf": OUTPUTS,
        "versions.tf": VERSIONS,
        "README.md": README.format(name=name, label=label, folder=folder, **tables),
        "examples/minimal/main.tf": EXAMPLE.format(label=label),
        f"tests/{label}.tftest.hcl": TEST.replace("LABEL", label),
    }
