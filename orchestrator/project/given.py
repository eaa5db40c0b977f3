"""Values that must not be shown where there is no plan to say what is secret: those of sensitive variables,
and those that a name gives away, as far as files and the environment tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orchestrator.project.model import Project, Stack
from orchestrator.repository.hcl import Block, Expression
from orchestrator.repository.variables import auto_files

PREFIX = "TF_VAR_"
# Blocks of code that give values to variables and locals.
GIVING = ("locals", "module")

IsSecret = Callable[[str], bool]


def secret_values(
    project: Project, stack: Stack, environ: Mapping[str, str], is_secret: IsSecret
) -> Iterator[str]:
    """The texts that variables and locals of a stack's code hold and that are secret.

    Secret is what a variable holds that is declared as sensitive or whose name `is_secret`, and what stands
    below a secret key of any other. The modules that the stack calls count too. Files that cannot be read
    tell nothing.
    """
    source = project.coverage.source
    folder = source.real(stack.path)
    sensitive: set[str] = set()
    for at in (folder, *source.reached(folder)):
        for file in source.module(at).files:
            for block in file.blocks:
                if at == folder and _is_sensitive(block):
                    sensitive.add(block.name)
                yield from _secrets_in_block(block, is_secret)
    yield from (environ[PREFIX + name] for name in sorted(sensitive) if environ.get(PREFIX + name))
    files = [path for _, path in auto_files(source, folder)]
    files += [path for name in stack.var_files if (path := source.tree.find(name)) is not None]
    for path in files:
        for name, attribute in source.variable_file(path).attributes.items():
            yield from _secrets(attribute.expression, is_secret, name in sensitive or is_secret(name))


def _is_sensitive(block: Block) -> bool:
    """Whether a block is a variable that is declared as sensitive."""
    sensitive = block.expression("sensitive") if block.kind == "variable" else None
    return sensitive is not None and sensitive.string == "true"


def _secrets_in_block(block: Block, is_secret: IsSecret) -> Iterator[str]:
    if block.kind == "variable":
        default = block.expression("default")
        if default is not None:
            yield from _secrets(default, is_secret, _is_sensitive(block) or is_secret(block.name))
    elif block.kind in GIVING:
        for name, attribute in block.attributes.items():
            yield from _secrets(attribute.expression, is_secret, is_secret(name))


def _secrets(expression: Expression, is_secret: IsSecret, hidden: bool) -> Iterator[str]:
    """Every text and number in an expression, or where it is not `hidden` those below a secret key."""
    for leaf in expression.leaves():
        if hidden or any(map(is_secret, leaf.path)):
            yield leaf.text
