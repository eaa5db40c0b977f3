"""`infra sandbox …` on a repository, with real Terraform attached by `exec`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.repo import Repo
from tests.support.warm import run_warm

pytest.importorskip("grpc")

MAIN = """
terraform {
  backend "gcs" {}
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

provider "google" {
  project = "example-dev"
  region  = "europe-west1"
}

resource "google_compute_network" "this" {
  name                    = "main"
  routing_mode            = "GLOBAL"
  auto_create_subnetworks = false
}
"""
BARE = """
terraform {
  required_providers {
    google = { source = "hashicorp/google" }
  }
}

resource "google_compute_network" "bare" {
  name = "bare"
}
"""
FILES = {
    "infra.yaml": "backend: {gcs: {bucket: cli-states}}\n",
    "infra/envs/dev/network/main.tf": MAIN,
    "infra/envs/dev/bare/main.tf": BARE,
}
NETWORK = "google_compute_network/projects/example-dev/global/networks/main"


@dataclass
class SandboxShell:
    """Runs `infra` in a repository, as a user does."""

    root: Path
    environ: dict[str, str]

    def infra(self, *arguments: str, expect: int = 0) -> str:
        """Run a command to its end; its standard output, or both outputs when it is to fail."""
        done = run_warm(arguments, self.root, self.environ)
        assert done.code == expect, done.out + done.err
        return done.out if expect == 0 else done.out + done.err

    def json(self, *arguments: str) -> dict[str, Any]:
        """The JSON document of a command."""
        document: dict[str, Any] = json.loads(self.infra(*arguments, "--json"))
        return document


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxShell]:
    """A repository with a sandbox that is up."""
    shell = SandboxShell(
        tmp_path_factory.mktemp("cli") / "repo", {**os.environ, "GOOGLE_PROJECT": "callers-own"}
    )
    Repo(shell.root, FILES)
    reader, writer = os.pipe()
    subprocess.run(
        [sys.executable, "-m", "orchestrator", "sandbox", "up", "--hold-fd", str(reader)],
        cwd=shell.root,
        env=shell.environ,
        pass_fds=[reader],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    os.close(reader)
    yield shell
    os.close(writer)


def on_sandbox(shell: SandboxShell, argv: tuple[str, ...], *arguments: str, expect: int = 0) -> str:
    """Run Terraform in the stack, on the sandbox."""
    stack = str(shell.root / "infra/envs/dev/network")
    return shell.infra("sandbox", "exec", "--", *argv, f"-chdir={stack}", *arguments, expect=expect)


def test_up_again_reports_it(shell: SandboxShell) -> None:
    assert "already up" in shell.infra("sandbox", "up")
    assert shell.json("sandbox", "up")["sandbox"]["new"] is False


def test_status_lists_what_exists(shell: SandboxShell) -> None:
    sandbox = shell.json("sandbox", "status")["sandbox"]

    assert sandbox["folder"] == str(shell.root / ".infra/sandbox")
    assert set(sandbox["accounts"]) == {"dev:plan", "dev:apply", "dev:drift", "attest"}
    assert "cli-states" in sandbox["buckets"]
    assert "token" not in sandbox
    text = shell.infra("sandbox", "status")
    assert "dev:plan" in text
    assert "cli-states" in text


def test_git_sees_nothing_of_it(shell: SandboxShell) -> None:
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=shell.root, capture_output=True, text=True, check=True
    )

    assert ".infra" not in done.stdout


def test_terraform_works_on_it_and_hands_do_too(shell: SandboxShell, terraform_argv: tuple[str, ...]) -> None:
    settings = ("-backend-config=bucket=cli-states", "-backend-config=prefix=dev/state/network")
    on_sandbox(shell, terraform_argv, "init", "-no-color", *settings)
    on_sandbox(shell, terraform_argv, "apply", "-auto-approve", "-no-color")
    assert NETWORK in shell.infra("sandbox", "world", "list", "--type", "google_compute_network")
    on_sandbox(shell, terraform_argv, "plan", "-detailed-exitcode")

    shell.infra("sandbox", "world", "set", "main", "routing_mode", "REGIONAL")
    resource = shell.json("sandbox", "world", "show", NETWORK)["resources"][0]
    assert resource["attributes"]["routing_mode"] == "REGIONAL"
    assert "REGIONAL" in on_sandbox(
        shell, terraform_argv, "plan", "-detailed-exitcode", "-no-color", expect=2
    )

    shell.infra("sandbox", "world", "delete", "main")
    assert NETWORK not in shell.infra("sandbox", "world", "list")
    shell.infra("sandbox", "world", "break", "google_compute_network", "create", "Error 403: Quota exceeded")
    assert "Quota exceeded" in on_sandbox(
        shell, terraform_argv, "apply", "-auto-approve", "-no-color", expect=1
    )
    assert "1 failure switched off" in shell.infra("sandbox", "world", "mend")
    on_sandbox(shell, terraform_argv, "apply", "-auto-approve")


def test_a_resource_without_a_project_lies_in_the_callers(shell: SandboxShell) -> None:
    shell.infra("sandbox", "exec", "--", "infra", "apply", "dev/bare", "--auto-approve", "--confirm", "dev")

    assert "projects/callers-own/global/networks/bare" in shell.infra("sandbox", "world", "list")


def test_waiting_is_switched_on_and_off(shell: SandboxShell) -> None:
    assert "Nothing waits" in shell.infra("sandbox", "world", "delays")
    assert "0.5 of the time" in shell.infra("sandbox", "world", "delays", "0.5")
    assert "Nothing waits" in shell.infra("sandbox", "world", "delays", "0")


def test_a_program_keeps_its_exit_code_and_its_arguments(shell: SandboxShell) -> None:
    program = "import sys; print(sys.argv[1:]); sys.exit(17)"

    text = shell.infra("sandbox", "exec", "--", sys.executable, "-c", program, "--json", "--", "x", expect=17)

    assert text == "['--json', '--', 'x']\n"


def test_a_program_replaces_infra(shell: SandboxShell) -> None:
    argv = [sys.executable, "-m", "orchestrator", "sandbox", "exec", "--", sys.executable, "-c"]
    with subprocess.Popen(
        [*argv, "import os; print(os.getpid())"], cwd=shell.root, env=shell.environ, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert int(child.stdout.read()) == child.pid


def test_an_account_is_chosen(shell: SandboxShell) -> None:
    port = shell.json("sandbox", "status")["sandbox"]["accounts"]["dev:plan"]
    program = "import os; print(os.environ['STORAGE_EMULATOR_HOST'])"

    infra = shell.infra("sandbox", "exec", "--account", "dev:plan", "--", sys.executable, "-c", program)

    assert infra == f"http://127.0.0.1:{port}\n"
    refused = shell.infra("sandbox", "exec", "--account", "dev:boss", "--", "true", expect=3)
    assert "dev:apply, dev:drift, dev:plan" in refused


def test_infra_is_this_infra_on_path_or_not(shell: SandboxShell) -> None:
    git = shutil.which("git")
    assert git
    elsewhere = SandboxShell(shell.root, {**shell.environ, "PATH": str(Path(git).parent)})

    assert "infra, version" in elsewhere.infra("sandbox", "exec", "--", "infra", "--version")


def test_storage_can_be_made_to_fail(shell: SandboxShell) -> None:
    shell.infra("sandbox", "faults", "add", "--path", "/storage/v1/b/cli-states", "--status", "503")
    assert shell.json("sandbox", "faults", "list")["faults"][0]["status"] == 503
    assert '"struck": 0' in shell.infra("sandbox", "faults", "list")

    shell.infra("sandbox", "faults", "clear")
    assert shell.json("sandbox", "faults", "list")["faults"] == []


@pytest.mark.parametrize(
    ("arguments", "expect", "message"),
    [
        (("exec", "true"), 3, "Write it after `--`"),
        (("exec", "--"), 3, "There is no command to run"),
        (("exec", "--", "no-such-program"), 3, "no-such-program"),
        (("exec", "elsewhere", "--", "true"), 1, "infra sandbox up"),
        (("status", "elsewhere"), 1, "infra sandbox up"),
        (("world", "show", "nothing"), 1, "there is no nothing"),
        (("world", "break", "main", "explode"), 1, "there is no operation"),
    ],
)
def test_what_cannot_be_done_is_reported(
    shell: SandboxShell, arguments: tuple[str, ...], expect: int, message: str
) -> None:
    assert message in shell.infra("sandbox", *arguments, expect=expect)


def test_a_provider_that_would_reach_a_real_cloud_is_refused(shell: SandboxShell, tmp_path: Path) -> None:
    code = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'
    other = Repo(tmp_path / "other", {"infra/envs/dev/main.tf": f'{code}\nprovider "aws" {{}}\n'})
    folder = shell.json("sandbox", "status")["sandbox"]["folder"]

    text = SandboxShell(other.root, shell.environ).infra("sandbox", "exec", folder, "--", "true", expect=1)

    assert "registry.terraform.io/hashicorp/aws" in text
    assert "infra sandbox record" in text


def test_outside_of_a_project_it_works_in_the_folder_given(shell: SandboxShell, tmp_path: Path) -> None:
    outside = SandboxShell(tmp_path, shell.environ)

    assert "is up" in outside.infra("sandbox", "up", "cloud")
    assert (tmp_path / "cloud/sandbox.json").exists()
    outside.infra("sandbox", "exec", "cloud", "--", "true")
    assert "has ended" in outside.infra("sandbox", "down", "cloud")
    assert "No sandbox is running" in outside.infra("sandbox", "down", "cloud")
    assert not (tmp_path / "cloud/sandbox.json").exists()


def test_a_refresh_reports_drift_and_nothing_else(shell: SandboxShell) -> None:
    def refresh() -> str:
        argv = ("plan", "dev/refreshed", "--refresh-only", "--json")
        document = json.loads(shell.infra("sandbox", "exec", "--", "infra", *argv))
        return str(document["stacks"][0]["result"])

    Repo(shell.root).write({"infra/envs/dev/refreshed/main.tf": BARE.replace("bare", "refreshed")})
    consent = ("--auto-approve", "--confirm", "dev")
    shell.infra("sandbox", "exec", "--", "infra", "apply", "dev/refreshed", *consent)
    # The first refresh takes in what the cloud adds by itself.
    shell.infra("sandbox", "exec", "--", "infra", "apply", "dev/refreshed", "--refresh-only", *consent)
    assert refresh() == "unchanged"
    shell.infra("sandbox", "world", "set", "refreshed", "description", "by hand")
    assert refresh() == "changed"
