"""Terraform's own gcs backend on the sandbox's Cloud Storage: states, locks, accounts, faults."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.gcs.faults import read_fault
from orchestrator.sandbox.gcs.server import GcsServer

BUCKET = "acme-state"
STATE = "dev/state/net/default.tfstate"
LOCK = "dev/state/net/default.tflock"
ME = "serviceAccount:me@acme.example"

_ASKING = ("init", "plan", "apply", "destroy")
_QUIET = ("-no-color", "-input=false")

# The provisioner holds the lock until the test has seen what the others do.
MAIN = """
terraform {
  backend "gcs" {
    bucket = "acme-state"
    prefix = "dev/state/net"
  }
}
variable "round" {
  default = "0"
}
variable "wait_for" {
  default = ""
}
resource "terraform_data" "a" {
  triggers_replace = var.round
  provisioner "local-exec" {
    command = "while [ -n '${var.wait_for}' ] && [ ! -e '${var.wait_for}' ]; do sleep 0.02; done"
  }
}
"""


class GcsRoot:
    """A root module, and the Terraform that runs in it."""

    def __init__(self, folder: Path, argv: tuple[str, ...], env: Mapping[str, str]) -> None:
        self.folder = folder
        self.argv = argv
        self.env = dict(env)

    def start(self, command: str, *arguments: str, url: str = "") -> subprocess.Popen[str]:
        """Start a command; `url` is another account's server."""
        env = {**self.env, "STORAGE_EMULATOR_HOST": url or self.env["STORAGE_EMULATOR_HOST"]}
        return subprocess.Popen(
            [*self.argv, command, *(_QUIET if command in _ASKING else ()), *arguments],
            cwd=self.folder,
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, command: str, *arguments: str, url: str = "") -> tuple[int, str]:
        """Run a command to its end: its exit code and what it printed."""
        with self.start(command, *arguments, url=url) as child:
            text, _ = child.communicate(timeout=60)
        return child.returncode, " ".join(text.split())

    def apply(self, number: int = 0) -> tuple[int, str]:
        """Apply another round."""
        return self.run("apply", "-auto-approve", f"-var=round={number}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GcsServer]:
    with GcsServer(tmp_path / "gcs") as gcs_server:
        access = {"uniformBucketLevelAccess": {"enabled": True}}
        gcs_server.store.create_bucket(
            "acme", {"name": BUCKET, "versioning": {"enabled": True}, "iamConfiguration": access}
        )
        yield gcs_server


@pytest.fixture
def stack(
    tmp_path: Path, server: GcsServer, terraform_argv: tuple[str, ...], child_env: dict[str, str]
) -> GcsRoot:
    """An initialised stack whose state is in the bucket, not applied yet."""
    folder = tmp_path / "stack"
    folder.mkdir()
    (folder / "main.tf").write_text(MAIN)
    root = GcsRoot(folder, terraform_argv, {**child_env, "STORAGE_EMULATOR_HOST": server.url})
    code, text = root.run("init")
    assert code == 0, text
    return root


def has(server: GcsServer, name: str) -> bool:
    return server.store.live_object(BUCKET, name) is not None


def test_a_stack_lives_and_dies_with_its_state_in_the_bucket(server: GcsServer, stack: GcsRoot) -> None:
    assert stack.apply()[0] == 0
    assert stack.apply(1)[0] == 0
    assert stack.run("plan", "-detailed-exitcode", "-var=round=1")[0] == 0
    _, data = server.store.read_object(BUCKET, STATE)
    assert [resource["type"] for resource in json.loads(data)["resources"]] == ["terraform_data"]
    assert not has(server, LOCK)
    assert stack.run("workspace", "new", "blue")[0] == 0
    assert "blue" in stack.run("workspace", "list")[1]
    assert stack.run("workspace", "select", "default")[0] == 0
    assert stack.run("destroy", "-auto-approve")[0] == 0
    assert json.loads(server.store.read_object(BUCKET, STATE)[1])["resources"] == []


def test_a_state_larger_than_one_piece_survives(server: GcsServer, stack: GcsRoot) -> None:
    (stack.folder / "big.tf").write_text('resource "terraform_data" "b" {\n  input = file("big.txt")\n}\n')
    (stack.folder / "big.txt").write_text("x" * 9_000_000)
    assert stack.apply()[0] == 0
    assert int(server.store.get_object(BUCKET, STATE)["size"]) > 18_000_000
    assert "resumable" in [entry.query.get("uploadType") for entry in server.requests.entries]
    assert stack.run("state", "list")[1] == "terraform_data.a terraform_data.b"


def race(server: GcsServer, stack: GcsRoot, number: int) -> None:
    """Two applies at once: one waits with the lock in hand until the other has given up."""
    gate = stack.folder / f"go-{number}"
    arguments = ("-auto-approve", f"-var=round={number}", f"-var=wait_for={gate}")
    children = [stack.start("apply", *arguments) for _ in range(2)]
    deadline = time.monotonic() + 60
    while all(child.poll() is None for child in children):
        assert time.monotonic() < deadline, "neither apply ended, so both went on"
        time.sleep(0.01)
    loser = next(child for child in children if child.poll() is not None)
    winner = next(child for child in children if child is not loser)
    text = " ".join(loser.communicate(timeout=60)[0].split())
    assert winner.poll() is None, "both ended while the lock should have been held"
    gate.touch()
    winner.communicate(timeout=60)
    assert (loser.returncode, winner.returncode) == (1, 0), text
    assert "Error acquiring the state lock" in text
    assert "Error 412: At least one of the pre-conditions you specified did not hold." in text
    assert not has(server, LOCK)


def test_of_two_applies_at_once_exactly_one_proceeds(server: GcsServer, stack: GcsRoot) -> None:
    for number in range(1, 7):
        race(server, stack, number)


@pytest.mark.soak
def test_of_two_applies_at_once_exactly_one_proceeds_fifty_times(server: GcsServer, stack: GcsRoot) -> None:
    for number in range(1, 51):
        race(server, stack, number)


def test_a_held_lock_is_named_and_force_unlock_wants_its_generation(
    server: GcsServer, stack: GcsRoot
) -> None:
    assert stack.apply()[0] == 0
    info = {"ID": "uuid", "Operation": "OperationTypeApply", "Who": "ada@laptop", "Version": "1.11.4"}
    body = json.dumps({**info, "Created": "2026-01-02T03:04:05Z", "Path": f"gs://{BUCKET}/{LOCK}"})
    stored = server.store.insert_object(BUCKET, LOCK, body.encode())
    code, text = stack.run("plan")
    assert code == 1
    assert "Who: ada@laptop" in text
    assert f"ID: {stored['generation']}" in text
    assert stack.run("force-unlock", "-force", "1")[0] == 1
    assert has(server, LOCK)
    assert stack.run("force-unlock", "-force", stored["generation"])[0] == 0
    assert not has(server, LOCK)


def test_a_read_only_account_plans_without_a_lock_once_there_is_a_state(
    server: GcsServer, stack: GcsRoot
) -> None:
    store = server.store
    store.set_bucket_policy(BUCKET, {"bindings": []})
    store.insert_managed_folder(BUCKET, "dev/state")
    viewer = {"role": "roles/storage.objectViewer", "members": [ME]}
    store.set_managed_folder_policy(BUCKET, "dev/state", {"bindings": [viewer]})
    url = server.url_of(ME)
    store.delete_object(BUCKET, STATE)
    code, text = stack.run("plan", "-lock=false", url=url)
    assert (code, "403" in text, "storage.objects.create" in text) == (1, True, True)
    assert not has(server, STATE)
    assert stack.apply()[0] == 0
    before = store.get_object(BUCKET, STATE)
    assert stack.run("plan", "-lock=false", "-detailed-exitcode", url=url)[0] == 0
    code, text = stack.run("plan", url=url)
    assert (code, "me@acme.example does not have storage.objects.create access" in text) == (1, True)
    assert store.get_object(BUCKET, STATE) == before


def test_a_state_that_cannot_be_written_is_saved_beside_the_stack(server: GcsServer, stack: GcsRoot) -> None:
    assert stack.apply()[0] == 0
    before = server.store.get_object(BUCKET, STATE)
    server.faults.add(HttpFault(method="POST", path="*.tfstate", status=403))
    code, text = stack.apply(1)
    assert (code, "Failed to persist state to backend" in text) == (1, True)
    assert server.store.get_object(BUCKET, STATE) == before
    server.faults.clear()
    assert not has(server, LOCK)
    assert stack.run("state", "push", "errored.tfstate")[0] == 0
    assert stack.run("plan", "-detailed-exitcode", "-var=round=1")[0] == 0


def test_an_answer_lost_while_locking_leaves_the_lock(server: GcsServer, stack: GcsRoot) -> None:
    assert stack.apply()[0] == 0
    server.faults.add(HttpFault(method="POST", path="*.tflock", cut="answer", count=1))
    code, text = stack.apply(1)
    assert (code, "Error acquiring the state lock" in text) == (1, True)
    assert has(server, LOCK)


# A connection that is cut before any answer is not in the list: Terraform 1.11 gives up, 1.15 tries again.
@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"cut": "response", "bytes": 20}])
def test_terraform_reads_a_state_again_after_a_fault(
    server: GcsServer, stack: GcsRoot, fault: dict[str, object]
) -> None:
    assert stack.apply()[0] == 0
    server.faults.add(read_fault({"method": "GET", "path": f"/{BUCKET}/{STATE}", "count": 1, **fault}))
    assert stack.run("plan", "-detailed-exitcode")[0] == 0
    assert server.faults.report()[0]["struck"] == 1


def test_a_bucket_that_does_not_exist_is_reported(server: GcsServer, stack: GcsRoot) -> None:
    shutil.rmtree(stack.folder / ".terraform")
    code, text = stack.run("init", "-backend-config=bucket=nowhere")
    assert code == 1
    assert "storage: bucket doesn't exist" in text
