"""Import ids: the formats that a resource type accepts, and what Google's provider says to any other."""

from __future__ import annotations

import re

from orchestrator.sandbox.provider.rules import ResourceRule
from orchestrator.sandbox.provider.session import ProviderError

_PLACEHOLDER = re.compile(r"\{(%?)(?:\w+:)?(\w+)\}")


def import_pattern(template: str) -> str:
    """The regular expression of a format, as the provider prints it; `{%name}` may hold slashes."""
    out, position = "", 0
    for match in _PLACEHOLDER.finditer(template):
        out += template[position : match.start()]
        out += f"(?P<{match.group(2)}>{'.+' if match.group(1) else '[^/]+'})"
        position = match.end()
    return f"^{out}{template[position:]}$"


def canonical_template(rule: ResourceRule) -> str:
    """The first format as a template of the id."""
    return rule.imports[0].replace("{%", "{")


def match_import(rule: ResourceRule, import_id: str) -> dict[str, str]:
    """The attributes that an import id names."""
    resource, extra = _split(rule, import_id)
    patterns = [import_pattern(each) for each in rule.imports]
    for pattern in patterns:
        match = re.fullmatch(pattern, resource)
        if match:
            return {**match.groupdict(), **extra}
    raise ProviderError(
        f'Import id "{resource}" doesn\'t match any of the accepted formats: [{" ".join(patterns)}]'
    )


def _split(rule: ResourceRule, import_id: str) -> tuple[str, dict[str, str]]:
    """An access resource is named by several words: `RESOURCE ROLE MEMBER [CONDITION TITLE]`."""
    names = {"member": ["role", "member"], "binding": ["role"]}.get(rule.iam)
    if names is None:
        return import_id, {}
    words = import_id.split()
    if len(words) < 1 + len(names):
        raise ProviderError(
            f"Wrong number of parts to {rule.iam.capitalize()} id [{' '.join(words)}]; expected "
            f"'resource_name {' '.join(names)} [condition_title]'"
        )
    fields = dict(zip(names, words[1:], strict=False))
    title = " ".join(words[1 + len(names) :])
    return words[0], {**fields, "condition_title": title} if title else fields
