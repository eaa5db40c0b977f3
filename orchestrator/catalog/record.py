"""The file that says from which template a folder was made, so that it can be updated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from orchestrator.catalog.rendering import Rendering
from orchestrator.errors import ProjectError

RECORD_FILE = ".infra-template.yaml"
_HEADER = "# Written by `infra new`; `infra new update` reads it.\n"


@dataclass(frozen=True)
class TemplateRecord:
    """What a folder was made from.

    `source` is `package`, `folder:PATH` or the address of a Git repository; `version` is a number for a
    template of the package, else a full commit id. `answers` are all values that the template was rendered
    with, except answers to secret questions. `files` maps the rendered files to their SHA-256, as rendered.
    """

    template: str
    source: str
    version: str
    answers: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> bytes:
        """The file's content."""
        document = {
            "template": self.template,
            "source": self.source,
            "version": self.version,
            "answers": dict(self.answers),
            "files": dict(sorted(self.files.items())),
        }
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
        return f"{_HEADER}{text}".encode()


def record_rendering(template: str, source: str, version: str, rendering: Rendering) -> TemplateRecord:
    """The record of what was rendered from a template."""
    hashes = {path: hash_file(data) for path, data in rendering.files.items()}
    return TemplateRecord(template, source, version, rendering.answers, hashes)


def parse_record(data: bytes, path: str) -> TemplateRecord:
    """The record in a file; ProjectError when it is not one."""
    try:
        document = yaml.safe_load(data)
        answers, files = document["answers"], document["files"]
        names = [document[key] for key in ("template", "source", "version")]
        if not isinstance(answers, dict) or not isinstance(files, dict):
            raise TypeError
        if not all(isinstance(text, str) for text in (*names, *files, *files.values())):
            raise TypeError
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ProjectError(
            f"{path} is not a record of a template.",
            file=path,
            advice="Restore it from Git: `git log -- PATH` shows its versions.",
        ) from error
    template, source, version = names
    return TemplateRecord(template, source, version, answers, files)


def hash_file(data: bytes) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
