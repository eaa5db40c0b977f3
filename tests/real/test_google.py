"""The real google provider on the sandbox's Cloud Storage: plan, apply, drift, and a lost state.

`make real-google PROVIDER=PATH` runs this with a binary of hashicorp/google.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.engine.ledgers import this_machine
from tests.support.cli import Infra
from tests.support.real_provider import attached
from tests.support.recorded_stack import RecordedProject, serving
from tests.support.repo import Repo

pytestmark = pytest.mark.real
PROVIDER = os.environ.get("GOOGLE_PROVIDER") or ""
GO = ("--auto-approve", "--allow-destroy", "--confirm", "dev")
STACK = "dev/data"
STATE = "dev/state/data/default.tfstate"
DEAD = 2**22 - 1

CODE = """
terraform {{
  backend "gcs" {{}}
  required_providers {{
    google = {{
      source = "hashicorp/google"
    }}
  }}
}}
provider "google" {{
  project                 = "real"
  region                  = "europe-west1"
  access_token            = "test"
  storage_custom_endpoint = "{url}/storage/v1/"
}}
resource "google_storage_bucket" "b" {{
  name                        = "data"
  location                    = "europe-west1"
  uniform_bucket_level_access = true
  labels                      = {{ env = "dev" }}
}}
resource "google_storage_bucket_object" "o" {{
  bucket  = google_storage_bucket.b.name
  name    = "a/b.txt"
  content = "one"
}}
"""


@pytest.fixture
def reattach(tmp_path: Path) -> Iterator[str]:
    """The value of TF_REATTACH_PROVIDERS for the provider under test."""
    if not PROVIDER:
        pytest.skip("GOOGLE_PROVIDER names no binary: make real-google PROVIDER=PATH")
    with attached(Path(PROVIDER), tmp_path) as value:
        yield value


@pytest.fixture
def recorded(reattach: str, tmp_path: Path) -> Iterator[RecordedProject]:
    with serving(tmp_path / "gcs") as server:
        files = {
            "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: states}\n",
            "infra/envs/dev/data/main.tf": CODE.format(url=server.url),
        }
        yield RecordedProject(Repo(tmp_path / "repo", files), server)


@pytest.fixture
def infra(recorded: RecordedProject, reattach: str) -> Infra:
    return replace(recorded.infra, env={**recorded.infra.env, "TF_REATTACH_PROVIDERS": reattach})


def test_plan_apply_and_drift(recorded: RecordedProject, infra: Infra) -> None:
    assert infra("apply", STACK, *GO, "--json", code=0).results == {STACK: "applied"}
    infra("plan", STACK, "--detailed-exitcode", code=0)
    assert infra("drift", STACK, "--json", code=0).results == {STACK: "clean"}
    recorded.server.store.patch_bucket("data", {"labels": {"env": "hack"}})
    drifted = infra("drift", STACK, "--json", code=8).stack(STACK)
    assert [resource["drift_class"] for resource in drifted["resources"]] == ["reverted"]
    infra("apply", STACK, *GO, code=0)
    infra("plan", STACK, "--detailed-exitcode", code=0)


def test_what_an_unsaved_state_does_not_know_is_imported(recorded: RecordedProject, infra: Infra) -> None:
    """The run died after it had created everything, and before Terraform saved its state."""
    run = infra("apply", STACK, *GO, "--json", code=0).document["run"]["id"]
    saved = json.loads(recorded.server.store.read_object("states", STATE)[1])
    empty = {**saved, "serial": saved["serial"] + 1, "resources": []}
    recorded.server.store.insert_object("states", STATE, json.dumps(empty).encode())
    ledger = recorded.ledger(STACK)
    entry = ledger.entry(STACK)
    assert entry
    begun = recorded.at_work(STACK, host=this_machine(), pid=DEAD)
    assert begun.operation
    operation = replace(begun.operation, run=run, commit=recorded.repo.head)
    ledger.mark(replace(begun, attempted=recorded.repo.head), operation)
    done = infra("resume", STACK, *GO)
    assert done.code == 0, done.out + done.err
    assert "google_storage_bucket.b (data) was created, and is in no state: it is imported" in done.out
    assert "google_storage_bucket_object.o is created again, which does no harm" in done.out
    infra("plan", STACK, "--detailed-exitcode", code=0)
