"""Backend settings: for all stacks, per environment, per stack, and from files."""

from __future__ import annotations

import pytest

from orchestrator.config import load_text
from orchestrator.repository.backends import backend_file_findings
from orchestrator.repository.model import Stack, missing_settings, state_key
from tests.support.memory_tree import memory_tree, source_of, stacks_of

EMPTY = 'terraform {\n  backend "gcs" {}\n}\n'
PARTIAL = 'terraform {\n  backend "gcs" {\n    prefix = "own"\n  }\n}\n'
COMPLETE = 'terraform {\n  backend "gcs" {\n    bucket = "mine"\n  }\n}\n'
S3 = 'terraform {\n  backend "s3" {\n    key = "net"\n  }\n}\n'
PATH = "infra/envs/dev/a"


def stack_with(code: str, settings: str, files: dict[str, str] | None = None) -> Stack:
    return stacks_of({f"{PATH}/main.tf": code, **(files or {})}, settings).stacks["dev/a"]


@pytest.mark.parametrize(
    ("code", "settings", "state"),
    [
        (EMPTY, "backend: {gcs: {bucket: b}}", "gs://b/dev/state/a/default.tfstate"),
        (PARTIAL, "backend: {gcs: {bucket: b}}", "gs://b/own/default.tfstate"),
        (COMPLETE, "backend: {gcs: {bucket: b}}", "gs://mine/default.tfstate"),
        (
            EMPTY,
            "backend: {gcs: {bucket: b}}\n"
            "environments: {dev: {backend: {gcs: {bucket: d, prefix: '{stack}'}}}}",
            "gs://d/a/default.tfstate",
        ),
        (
            COMPLETE,
            "environments: {dev: {backend: {gcs: {bucket: d, prefix: '{stack}'}}}}",
            "gs://mine/default.tfstate",
        ),
        (
            COMPLETE,
            "stacks: {dev/a: {backend: {gcs: {bucket: s, prefix: p}}}}",
            "gs://s/p/default.tfstate",
        ),
        (
            EMPTY,
            "environments: {dev: {backend: {local: {path: x}}}}\nbackend: {gcs: {bucket: b}}",
            None,
        ),
    ],
)
def test_where_a_state_is(code: str, settings: str, state: str | None) -> None:
    assert stack_with(code, settings).state == state


@pytest.mark.parametrize(
    ("code", "file", "values"),
    [
        (EMPTY, 'bucket = "f"\nprefix = "p"\n', {"bucket": "f", "prefix": "p"}),
        (PARTIAL, 'bucket = "f"\n', {"bucket": "f"}),
        (COMPLETE, 'bucket = "f"\n', {}),
        (S3, 'bucket = "f"\nencrypt = true\n', {"bucket": "f", "encrypt": "true"}),
        (S3, 'assume_role = { role_arn = "r" }\n', {"assume_role": '{ role_arn = "r" }'}),
        (S3, "kms_key_id = null\nregion = 1\n", {"region": "1"}),
    ],
)
@pytest.mark.parametrize(
    "template", ["{path}/backend.hcl", "infra/envs/{environment}/{stack}/backend.hcl", f"{PATH}/backend.hcl"]
)
def test_a_file_gives_what_the_block_leaves_open(
    code: str, file: str, values: dict[str, str], template: str
) -> None:
    stack = stack_with(code, f"backend: {{config_file: '{template}'}}", {f"{PATH}/backend.hcl": file})
    assert stack.backend_config == values
    assert stack.backend_file == (f"{PATH}/backend.hcl" if values else None)


def test_a_file_of_a_stack_replaces_what_its_block_sets() -> None:
    settings = "stacks: {dev/a: {backend: {config_file: b.hcl}}}"
    assert stack_with(COMPLETE, settings, {"b.hcl": 'bucket = "f"\n'}).state == "gs://f/default.tfstate"


def test_a_shared_root_has_a_file_in_each_environment() -> None:
    files = {"main.tf": EMPTY, "dev.tfbackend": 'bucket = "d"\n', "prod.tfbackend": 'bucket = "p"\n'}
    settings = (
        "stacks: {app: {path: ., environments: {dev: {backend: {config_file: dev.tfbackend}}, "
        "prod: {backend: {config_file: prod.tfbackend}}}}}"
    )
    stacks = stacks_of(files, settings).stacks
    assert {id_: stack.state for id_, stack in stacks.items()} == {
        "dev/app": "gs://d/default.tfstate",
        "prod/app": "gs://p/default.tfstate",
    }


@pytest.mark.parametrize(
    ("code", "file", "words"),
    [
        (EMPTY, None, "b.hcl, which does not exist"),
        (EMPTY, 'bucket = "b"\nregion = "eu"\n', "sets `region`, a setting of s3, which the backend gcs"),
        (EMPTY, 'bukket = "b"\n', "sets `bukket`, which the backend gcs"),
        (S3, 'prefix = "b"\n', "sets `prefix`, a setting of gcs, which the backend s3"),
        (S3, 'something_new = "b"\n', ""),
        (EMPTY, 'bucket = "b"\nx {}\n', "more than settings of a backend"),
        (EMPTY, "bucket =\n", "does not parse"),
        (EMPTY, 'bucket = "b"\n', ""),
    ],
)
def test_a_file_that_does_not_fit_is_an_error(code: str, file: str | None, words: str) -> None:
    files = {f"{PATH}/main.tf": code, **({"b.hcl": file} if file is not None else {})}
    settings = "backend: {config_file: b.hcl}"
    config, tree = load_text(settings), memory_tree(files)
    stack = stacks_of(files, settings).stacks["dev/a"]
    findings = list(backend_file_findings(source_of(tree, config), stack))
    assert all(finding.severity == "error" for finding in findings)
    assert (words in findings[0].message) if words else not findings


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (EMPTY, "empty gcs backend"),
        (PARTIAL, "gcs backend without `bucket`"),
        (S3, "s3 backend without `bucket`"),
        (COMPLETE, ""),
        ('terraform {\n  backend "local" {}\n}\n', ""),
        ("", ""),
    ],
)
def test_settings_that_nobody_gives_are_an_error(code: str, words: str) -> None:
    stack = stacks_of({f"{PATH}/main.tf": code, f"{PATH}/x.tf": "locals {}\n"}).stacks["dev/a"]
    finding = missing_settings(stack)
    assert (finding is not None and words in finding.message) if words else finding is None


@pytest.mark.parametrize(
    ("code", "environments", "same"),
    [
        (S3, "dev: {workspace: w}, prod: {workspace: w}", True),
        (S3, "dev: {}, prod: {}", True),
        (S3, "dev: {workspace: a}, prod: {workspace: b}", False),
        (S3, "dev: {}, prod: {backend: {config_file: p.hcl}}", False),
        (COMPLETE, "dev: {workspace: w}, prod: {workspace: w}", True),
        (COMPLETE, "dev: {workspace: a}, prod: {workspace: b}", False),
    ],
)
def test_a_workspace_that_two_stacks_share_is_one_state(code: str, environments: str, same: bool) -> None:
    files = {"app/main.tf": code, "p.hcl": 'bucket = "p"\n'}
    stacks = stacks_of(files, f"stacks: {{app: {{path: app, environments: {{{environments}}}}}}}").stacks
    keys = [state_key(stack) for stack in stacks.values()]
    assert None not in keys
    assert (keys[0] == keys[1]) is same
