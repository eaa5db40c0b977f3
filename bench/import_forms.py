"""Reads how each google resource is imported from the provider's documentation, for the import ids.

    python -m bench.import_forms CLONE TAG > orchestrator/engine/import_forms_google.json

CLONE is a Git repository of hashicorp/terraform-provider-google. Only facts are taken: the format of each
type's `id`, and the formats that its import accepts. IAM members, bindings and policies have pages of another
form and are not read: `import_ids.toml` has them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.sandbox.schemas import RecordedSchemas

FOLDER = "website/docs/r"
SOURCE = "https://github.com/hashicorp/terraform-provider-google"
_TITLE = re.compile(r"^# (google[\w\\]+)", re.MULTILINE)
_IMPORT = re.compile(r"^#+ Import\s*$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"`id` - an identifier for the resource with format:?\s*`([^`]+)`", re.IGNORECASE)
_FORM = re.compile(r"^\s*\* `([^`\s]+)`", re.MULTILINE)
_COMMAND = re.compile(r"^\$ terraform import \S+ (\S+)$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{+%?([\w.-]+)\}+")


def facts(page: str) -> object:
    """What a page says of import: one format that is the `id` too, `{id, forms}`, or None for no import."""
    section = _IMPORT.search(page)
    text = section[1] if section else ""
    forms = [_normal(form) for form in _FORM.findall(text)]
    if not forms and "can be imported" in text:
        forms = [_normal(form) for form in _COMMAND.findall(text)]
    identity = _ID.search(page)
    format_ = _normal(identity[1]) if identity else ""
    if not forms:
        return None
    return format_ if format_ in forms else {"id": format_, "forms": forms}


def _normal(form: str) -> str:
    """A format with its placeholders as `{name}`."""
    return _PLACEHOLDER.sub(lambda match: "{" + match[1] + "}", form)


def pages(clone: Path, tag: str) -> Iterator[tuple[str, str]]:
    """The type and the text of each page that describes one type."""
    for name in _git(clone, "ls-tree", "-r", "--name-only", tag, FOLDER).split():
        page = _git(clone, "show", f"{tag}:{name}")
        title = _TITLE.search(page)
        if title and not name.endswith("_iam.html.markdown"):
            yield title[1].replace("\\", ""), page


def document(clone: Path, tag: str, known: Collection[str]) -> dict[str, Any]:
    """The data file's content, for the types that are `known`."""
    types = {type_: facts(page) for type_, page in pages(clone, tag) if type_ in known}
    commit = _git(clone, "rev-parse", f"{tag}^{{commit}}").strip()
    return {"source": f"{SOURCE}/tree/{tag}/{FOLDER}", "commit": commit, "types": dict(sorted(types.items()))}


def text_of(content: Mapping[str, Any]) -> str:
    """The data file's text: one line a type, so that a new version of the provider shows what it changed."""
    head = {name: value for name, value in content.items() if name != "types"}
    lines = ",\n".join(f"{json.dumps(type_)}: {json.dumps(form)}" for type_, form in content["types"].items())
    return f'{json.dumps(head)[:-1]}, "types": {{\n{lines}\n}}}}\n'


def _git(clone: Path, *argv: str) -> str:
    return subprocess.run(("git", "-C", str(clone), *argv), check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    content = document(Path(sys.argv[1]), sys.argv[2], RecordedSchemas().find("google").resource_types)
    sys.stdout.write(text_of(content))
