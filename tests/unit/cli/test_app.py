"""How an error is told: with advice that works for the stack that it is about."""

from __future__ import annotations

import io
import os

import pytest

from orchestrator.cli.app import App
from orchestrator.cli.main import run
from tests.conftest import MakeRepo

FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\nenvironments: {prod: {apply: ci}}\n",
    "infra/envs/prod/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
}
COMMANDS = {
    ("state", "accept", "prod/net", "--serial", "3"): "in a CI job, as the account that applies prod",
    ("state", "restore", "prod/net", "3"): "in a CI job, as the account that applies prod",
    ("state", "move", "prod/net", "--from", "gs://b/x"): "in a CI job, as the account that applies prod",
    ("state", "forget", "prod/net", "--reason", "it is gone"): "`/infra forget prod/net REASON`",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_where_only_ci_applies_an_error_states_what_works_there(
    make_repo: MakeRepo, command: tuple[str, ...]
) -> None:
    root = make_repo(FILES).root
    environ = {"HOME": str(root.parent), "PATH": os.environ["PATH"]}
    errors = io.StringIO()
    app = App(environ, io.StringIO(), io.StringIO(), errors)
    assert run(["-C", str(root), *command], app) == 4
    assert "Only CI applies to prod." in errors.getvalue()
    assert COMMANDS[command] in errors.getvalue()
