"""THE reader of Terraform's code, HCL and JSON alike. Nothing is evaluated, nothing is run.

`read(name, data)` gives a `File`; the name tells the syntax (`read_values`: variable files). A file has
`blocks` and (variable files)
`attributes`. A `Block` has `kind`, `labels`, `line`, `attributes` by name and nested `blocks`;
`block.nested()` looks through `dynamic`. An `Attribute` has a `line` and an `Expression`:

- `text`: the string with gaps (`text.py`), resolved later in a `NameScope`; `string`: it when nothing is open
- `literal()`: the value as JSON has it; `elements` and `members`: those of an object or list written out
- `references`, `calls(functions)`, `strings()`: what is used anywhere inside

What cannot be read is said, never dropped: `file.broken` is what does not parse, `file.unclear` what
Terraform may read in another way; `file.problem` is either, for those who must be sure.

Modules as Terraform merges them: `orchestrator.repository.modules`.
"""

from orchestrator.repository.hcl.block import Attribute, Block
from orchestrator.repository.hcl.expression import (
    NO_LITERAL,
    Expression,
    FunctionCall,
    Reference,
    References,
    String,
    Template,
)
from orchestrator.repository.hcl.file import File, read, read_values, unread
from orchestrator.repository.hcl.syntax import Problem

__all__ = [
    "NO_LITERAL",
    "Attribute",
    "Block",
    "Expression",
    "File",
    "FunctionCall",
    "Problem",
    "Reference",
    "References",
    "String",
    "Template",
    "read",
    "read_values",
    "unread",
]
