"""Files of backend settings: their accounts and endpoints are refused, their buckets must be known."""

from __future__ import annotations

import pytest

from orchestrator.guard.allowlist import Allowlist
from orchestrator.guard.files import backend_files
from tests.support.memory_tree import stacks_of

CODE = 'terraform {\n  backend "gcs" {}\n}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('bucket = "known"\n', ""),
        ('bucket = "evil"\n', "in evil, which is not listed"),
        ('bucket = "known"\naccess_token = "t"\n', "sets `access_token`"),
        ('bucket = "known"\nimpersonate_service_account = "a"\n', "sets `impersonate_service_account`"),
        ('bucket = "known"\nstorage_custom_endpoint = "http://evil"\n', "sets `storage_custom_endpoint`"),
    ],
)
def test_a_file_is_held_to_the_rules_of_a_backend_block(text: str, words: str) -> None:
    files = {"infra/envs/dev/a/main.tf": CODE, "b.hcl": text}
    stacks = stacks_of(files, "backend: {config_file: b.hcl}").stacks
    findings = list(backend_files(stacks.values(), Allowlist((), (), ("gcs",), ("known",))))
    assert [finding.severity for finding in findings] == (["error"] if words else [])
    assert all(words in finding.message and finding.file == "b.hcl" for finding in findings)
