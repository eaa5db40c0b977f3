"""`infra sandbox record`: a provider that nobody knows is recorded from its real program, then played."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.providers import platform_name
from tests.support.warm import run_warm

pytest.importorskip("tf")

# A real provider of one resource, as a program that Terraform starts.
PROVIDER = """\
#!{python}
import sys
from tf.iface import Provider, Resource
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import Number, String


class Thing(Resource):
    def __init__(self, provider):
        pass

    @classmethod
    def get_name(cls):
        return "thing"

    @classmethod
    def get_schema(cls):
        return Schema(attributes=[
            Attribute("id", String(), computed=True),
            Attribute("name", String(), required=True),
            Attribute("size", Number(), optional=True),
        ])


class Acme(Provider):
    def get_model_prefix(self):
        return "acme_"

    def get_provider_schema(self, diags):
        return Schema(attributes=[])

    def full_name(self):
        return "example.com/acme/acme"

    def validate_config(self, diags, config):
        pass

    def configure_provider(self, diags, config):
        pass

    def get_data_sources(self):
        return []

    def get_resources(self):
        return [Thing]

    def get_functions(self):
        return []


run_provider(Acme(), sys.argv)
"""

MAIN = """
terraform {
  backend "gcs" {}
  required_providers {
    acme = { source = "example.com/acme/acme" }
  }
}

resource "acme_thing" "this" {
  name = "first"
  size = 3
}
"""
FILES = {
    "infra.yaml": "backend: {gcs: {bucket: acme-states}}\n",
    "infra/envs/dev/thing/main.tf": MAIN,
    "infra/envs/dev/plain/main.tf": 'resource "terraform_data" "this" {}\n',
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which Terraform finds the provider in a mirror of files."""
    package = tmp_path / "mirror/example.com/acme/acme/1.0.0" / platform_name()
    package.mkdir(parents=True)
    program = package / "terraform-provider-acme_v1.0.0"
    program.write_text(PROVIDER.format(python=sys.executable))
    program.chmod(0o755)
    settings = tmp_path / "terraform.rc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path / "mirror"}"\n  }}\n}}\n'
    )
    (tmp_path / "home").mkdir()
    return {**os.environ, "TF_CLI_CONFIG_FILE": str(settings), "HOME": str(tmp_path / "home")}


def infra(folder: Path, environ: dict[str, str], *arguments: str, expect: int = 0) -> str:
    """Run `infra` as a user does; both outputs."""
    done = run_warm(arguments, folder, environ)
    assert done.code == expect, done.out + done.err
    return done.out + done.err


def test_a_recorded_provider_is_played(make_repo: MakeRepo, environ: dict[str, str], tmp_path: Path) -> None:
    repo = make_repo(FILES)

    assert "infra sandbox record" in infra_with_sandbox(repo.root, environ, "plan", "dev/thing", expect=1)
    output = infra(repo.root, environ, "sandbox", "record")
    assert "dev/thing: recording" in output
    assert "dev/plain" not in output
    assert repo.status == ""

    # From here on the real provider is out of reach.
    (tmp_path / "terraform.rc").unlink()
    applied = infra_with_sandbox(
        repo.root, environ, "apply", "dev/thing", "--auto-approve", "--confirm", "dev"
    )
    assert "1 created" in applied
    assert list((repo.root / ".infra/sandbox/world/default").rglob("acme_thing/*.json"))


def test_what_has_nothing_to_record_reports_it(make_repo: MakeRepo, environ: dict[str, str]) -> None:
    repo = make_repo(FILES)

    assert "nothing to record" in infra(repo.root, environ, "sandbox", "record", "dev/plain")


def test_simulated_providers_are_not_recorded(make_repo: MakeRepo, environ: dict[str, str]) -> None:
    repo = make_repo(FILES)

    output = infra(repo.root, {**environ, "INFRA_SANDBOX": "/somewhere"}, "sandbox", "record", expect=3)
    assert "outside of `infra sandbox exec`" in output


def infra_with_sandbox(folder: Path, environ: dict[str, str], *arguments: str, expect: int = 0) -> str:
    """Run `infra` on the repository's sandbox, which is up only for that long."""
    output = infra(folder, environ, "sandbox", "up")
    assert ("warning" in output) == bool(expect)
    try:
        return infra(folder, environ, "sandbox", "exec", "--", "infra", *arguments, expect=expect)
    finally:
        infra(folder, environ, "sandbox", "down")
