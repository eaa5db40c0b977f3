"""Rewrites advice for stacks that only CI may apply: names the CI command instead of the local one."""

from __future__ import annotations

import re
from functools import partial

from orchestrator.repository.model import Project, environment_of

# Advice names a command as it is typed on a laptop, between backticks.
_COMMAND = re.compile(
    r"`infra (apply|adopt|destroy|resume|unlock|run|state (?:accept|forget|move|restore)) ([^`]+)`"
    r"(?! \(in a CI job)"
)
# Commands that a comment on a merged pull request, or an input of the workflow, gives for one stack.
_BY_COMMENT = {"resume": "resume", "unlock": "unlock", "state forget": "forget"}


def advice_for(project: Project, advice: str) -> str:
    """Replaces each command for a stack of an `apply: ci` environment with its CI equivalent.

    Commands on a laptop are refused there, and usually cannot reach the bucket. Idempotent.
    """
    return _COMMAND.sub(partial(_command_for, project), advice) if "`infra " in advice else advice


def _command_for(project: Project, match: re.Match[str]) -> str:
    verb, words = match[1], match[2].split()
    # An environment whose last stack was deleted is in no order any more.
    environments = (*project.order.all, *project.config.environments)
    stacks = {word: name for word in words if (name := environment_of(word, environments))}
    names = list(dict.fromkeys(stacks.values()))
    if not any(project.config.environment(name).apply == "ci" for name in names):
        return match[0]
    if verb in _BY_COMMENT:
        if verb == "state forget":
            comments = [f"`/infra forget {stack} REASON`" for stack in stacks]
        else:
            rest = "".join(f" {word}" for word in words if word not in stacks and word != "…")
            comments = [f"`/infra {verb} {stack}{rest}`" for stack in stacks]
        return f"{', '.join(comments)} {_where(_BY_COMMENT[verb])}"
    if verb in ("apply", "adopt", "destroy"):
        comments = [f"`/infra apply {name}`" for name in names]
        where = _where("environment")
        if verb == "destroy":
            where = f"{where[:-1]}, once trunk does not have it, with `policy.deleted_stacks: destroy`)"
        return f"{', '.join(comments)} {where}"
    return f"{match[0]} (in a CI job, as the account that applies {names[0]})"


def _where(field: str) -> str:
    return f"(a comment on a merged pull request, or the input `{field}` of infra-apply)"
