"""Finds secret values without a plan: those of sensitive variables, and those with a secret name, as far as
files and the environment set them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from orchestrator.masking import HIDDEN, Masker, SecretSet
from orchestrator.repository.hcl import Block, Expression
from orchestrator.repository.model import Finding, Project, Stack
from orchestrator.repository.variables import auto_files

PREFIX = "TF_VAR_"
# Blocks of code that give values to variables and locals.
GIVING = ("locals", "module")

IsSecret = Callable[[str], bool]


def secret_values(
    project: Project, stack: Stack, environ: Mapping[str, str], is_secret: IsSecret
) -> Iterator[str]:
    """The texts that variables and locals of a stack's code hold and that are secret.

    Secret is what a variable holds that is declared as sensitive or ephemeral or whose name `is_secret`, and
    what stands below a secret key of any other. The modules that the stack calls count too. Files that
    cannot be read tell nothing.
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


def mask_findings(project: Project, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Mask secrets in findings that quote code: values of variables, passwords in module sources."""
    masker = Masker(project.config.masking)
    secret_sets: dict[str, SecretSet] = {}

    def secrets_of(finding: Finding) -> SecretSet:
        secret_set = SecretSet()
        for stack in _concerned(project, finding):
            if stack.id not in secret_sets:
                secret_sets[stack.id] = SecretSet.of(
                    secret_values(project, stack, {}, masker.names.is_secret)
                )
            secret_set |= secret_sets[stack.id]
        return secret_set

    for finding in findings:
        secrets = secrets_of(finding)

        def mask(text: str, secrets: SecretSet = secrets) -> str:
            return masker.mask_quotes(text, secrets)

        yield _masked(finding, mask)


def _masked(finding: Finding, mask: Callable[[str], str]) -> Finding:
    message, advice, listed = mask(finding.message), mask(finding.advice), finding.listed
    if listed is not None and (entry := mask(listed[1])) != listed[1]:
        if listed[0] == "modules":
            # An entry is a glob: `*` stands for the password in a source.
            entry = entry.replace(HIDDEN, "*")
            advice = entry.join(map(mask, finding.advice.split(listed[1])))
            listed = (listed[0], entry)
        else:
            # Elsewhere a `*` would open too much.
            listed = None
    return replace(finding, message=message, advice=advice, listed=listed)


def _concerned(project: Project, finding: Finding) -> Iterator[Stack]:
    """The stacks whose values a finding may quote: its own, or those that read its file."""
    if finding.stack is not None:
        stack = project.stacks.get(finding.stack)
        yield from () if stack is None else (stack,)
        return
    source = project.coverage.source
    at = posixpath.dirname(finding.file or "")
    for stack in project.stacks.values():
        if at in (source.real(stack.path), stack.path) or at in project.coverage.modules(stack):
            yield stack


def _is_sensitive(block: Block) -> bool:
    """Whether a block is a variable that is declared as sensitive, or as ephemeral: no state may hold it."""
    marks = (
        [block.expression(name) for name in ("sensitive", "ephemeral")] if block.kind == "variable" else []
    )
    return any(mark is not None and mark.string == "true" for mark in marks)


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
