"""plan and apply with states in a bucket: what a plan must not write, accounts, locks, faults."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.state.marker import FILE_NAME as MARKER
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import DEPENDENT
from tests.support.repo import Repo

CONFIG = """
version: 1
backend:
  gcs: {bucket: states}
"""

UPSTREAM = """
terraform {
  backend "gcs" {}
}
resource "terraform_data" "x" {
  input = "one"
}
output "x" {
  value = terraform_data.x.output
}
"""

# Real Terraform, and somebody else who writes the state while it plans.
MOVING = """#!/bin/sh
cd_to="$(dirname "$0")/.."
if [ "$1" = plan ] && [ "$(wc -c < "$cd_to/moved" 2>/dev/null || echo 0)" -lt {times} ]; then
  printf x >> "$cd_to/moved"
  python3 -c "
import urllib.request as u
at = '{url}/storage/v1/b/states/o/dev%2Fstate%2Fnet%2Fdefault.tfstate'
put = '{url}/upload/storage/v1/b/states/o?uploadType=media&name=dev/state/net/default.tfstate'
u.urlopen(u.Request(put, u.urlopen(at + '?alt=media').read(), method='POST')).read()
"
fi
exec {real} "$@"
"""

STATE = "dev/state/net/default.tfstate"
READER = "serviceAccount:reader@p.iam.gserviceaccount.com"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GcsServer]:
    gcs_server = GcsServer(tmp_path / "gcs")
    gcs_server.start()
    gcs_server.store.create_bucket(
        "p", {"name": "states", "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}}
    )
    yield gcs_server
    gcs_server.close()


@pytest.fixture
def project(make_repo: MakeRepo) -> Repo:
    return make_repo(
        {
            "infra.yaml": CONFIG,
            "infra/envs/dev/net/main.tf": UPSTREAM,
            "infra/envs/dev/app/main.tf": DEPENDENT,
        }
    )


@pytest.fixture
def infra(project: Repo, server: GcsServer, terraform_argv: tuple[str, ...]) -> Infra:
    return as_account(project, server, None)


def as_account(project: Repo, server: GcsServer, member: str | None) -> Infra:
    return Infra(project.root, {"STORAGE_EMULATOR_HOST": server.url_of(member), "INFRA_SANDBOX": "test"})


def objects(server: GcsServer) -> list[str]:
    """The states and locks; what the ledger and its marker add is tested elsewhere."""
    names = sorted(item["name"] for item in server.store.list_objects("states").items)
    return [name for name in names if "/ledger/" not in name and name != MARKER]


def apply(infra: Infra) -> None:
    infra("apply", "--all", "--auto-approve", "--confirm", "dev", code=0)


def test_a_plan_of_new_stacks_writes_nothing(infra: Infra, server: GcsServer) -> None:
    ran = infra("plan", "--all", "--json", code=0)
    assert ran.results == {"dev/app": "waiting", "dev/net": "changed"}
    assert server.store.list_objects("states").items == []


def test_a_new_stack_is_applied_to_its_real_state(infra: Infra, server: GcsServer) -> None:
    apply(infra)
    assert objects(server) == ["dev/state/app/default.tfstate", STATE]
    assert set(infra("plan", "--all", "--json", code=0).results.values()) == {"unchanged"}
    assert infra("state", "pull", "dev/net", code=0).out.startswith("{")


def test_a_plan_of_a_new_stack_can_be_saved_and_not_applied(infra: Infra, server: GcsServer) -> None:
    infra("plan", "dev/net", "--out", "plans", code=0)
    ran = infra("apply", "--plan", "plans", "--auto-approve", "--confirm", "dev", code=1)
    assert "had no state when it was planned" in ran.err
    assert objects(server) == []


def test_an_account_that_only_reads_can_plan_everything(
    infra: Infra, project: Repo, server: GcsServer
) -> None:
    policy = server.store.get_bucket_policy("states")
    policy["bindings"].append({"role": "roles/storage.objectViewer", "members": [READER]})
    server.store.set_bucket_policy("states", policy)
    reader = as_account(project, server, READER)
    assert reader("plan", "--all", "--json", code=0).results["dev/net"] == "changed"
    apply(infra)
    before = objects(server)
    assert set(reader("plan", "--all", "--json", code=0).results.values()) == {"unchanged"}
    assert objects(server) == before
    project.write({"infra/envs/dev/net/more.tf": 'resource "terraform_data" "more" {}\n'})
    refused = reader("apply", "dev/net", "--auto-approve", "--confirm", "dev", code=1)
    assert "dev/net: failed" in refused.err
    assert objects(server) == before


def test_the_error_names_the_rights_that_an_account_lacks(
    project: Repo, server: GcsServer, infra: Infra
) -> None:
    stranger = as_account(project, server, "serviceAccount:stranger@p.iam.gserviceaccount.com")
    ran = stranger("plan", "dev/net", "--json", code=1)
    assert "objectViewer" in ran.stack("dev/net")["advice"]


def test_a_missing_bucket_is_one_clear_error(project: Repo, infra: Infra) -> None:
    project.write({"infra.yaml": CONFIG.replace("states", "nowhere")})
    ran = infra("plan", "dev/net", "--json", code=1)
    assert ran.stack("dev/net")["reason"] == "The bucket gs://nowhere does not exist."
    doctor = infra("doctor", "--json", code=1)
    assert any("nowhere" in check["message"] for check in doctor.document["checks"])


def test_a_locked_state_names_the_holder_of_the_lock(infra: Infra, project: Repo, server: GcsServer) -> None:
    apply(infra)
    lock = {
        "ID": "1c2d3e4f-0000-4000-8000-000000000000",
        "Operation": "OperationTypeApply",
        "Who": "ada@desk",
        "Version": "1.11.4",
        "Created": "2026-01-02T03:04:05Z",
        "Path": f"gs://states/{STATE}",
        "Info": "",
    }
    server.store.insert_object("states", STATE.replace(".tfstate", ".tflock"), json.dumps(lock).encode())
    assert infra("plan", "dev/net", "--json", code=0).results == {"dev/net": "unchanged"}
    project.write({"infra/envs/dev/net/more.tf": 'resource "terraform_data" "more" {}\n'})
    ran = infra("apply", "dev/net", "--auto-approve", "--confirm", "dev", "--json", code=6)
    assert ran.results == {"dev/net": "locked"}
    assert "ada@desk" in ran.stack("dev/net")["reason"]
    assert "2026-01-02" in ran.stack("dev/net")["reason"]


def test_an_upstream_without_the_output_makes_its_readers_wait(
    infra: Infra, project: Repo, server: GcsServer
) -> None:
    project.write({"infra/envs/dev/net/main.tf": UPSTREAM.replace('output "x"', 'output "other"')})
    infra("apply", "dev/net", "--auto-approve", "--confirm", "dev", code=0)
    ran = infra("plan", "dev/app", "--json", code=0)
    assert ran.stack("dev/app")["reason"] == "dev/net has no output x yet"
    assert objects(server) == [STATE]
    infra("apply", "dev/app", "--auto-approve", "--confirm", "dev", code=1)


def test_a_foreign_state_that_is_missing_is_not_written(
    infra: Infra, project: Repo, server: GcsServer
) -> None:
    project.write({"infra/envs/dev/app/main.tf": DEPENDENT.replace("dev/state/net", "elsewhere")})
    ran = infra("plan", "dev/app", "--json", code=0)
    assert ran.stack("dev/app")["reason"] == "gs://states/elsewhere/default.tfstate was never applied"
    assert objects(server) == []


def test_an_upstream_that_was_destroyed_does_not_keep_its_reader_from_going(infra: Infra) -> None:
    apply(infra)
    destroy_options = ("--auto-approve", "--allow-destroy", "--confirm", "dev")
    infra("destroy", "dev/net", *destroy_options, code=0)
    assert infra("plan", "dev/app", "--json", code=0).results == {"dev/app": "waiting"}
    assert infra("destroy", "dev/app", *destroy_options, "--json", code=0).results == {"dev/app": "destroyed"}


def test_a_request_to_a_busy_bucket_is_retried(infra: Infra, server: GcsServer) -> None:
    apply(infra)
    rule = {"method": "GET", "path": "*", "count": 2, "status": 503}
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/_sandbox/faults", json.dumps(rule).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).read()  # noqa: S310
    assert infra("plan", "dev/net", "--json", code=0).results == {"dev/net": "unchanged"}


@pytest.mark.parametrize(("times", "code", "result"), [(1, 0, "unchanged"), (9, 1, "failed")])
def test_a_state_that_moves_under_a_plan_is_planned_again(
    infra: Infra,
    server: GcsServer,
    project: Repo,
    terraform_argv: tuple[str, ...],
    times: int,
    code: int,
    result: str,
) -> None:
    apply(infra)
    project.write({"bin/terraform": MOVING.format(real=terraform_argv[0], url=server.url, times=times)})
    (project.root / "bin/terraform").chmod(0o755)
    project.write({"infra.yaml": CONFIG + "terraform: {binary: bin/terraform}\n"})
    ran = infra("plan", "dev/net", "--json", code=code)
    assert ran.results == {"dev/net": result}
    assert len((project.root / "moved").read_text()) == min(times, 3)
