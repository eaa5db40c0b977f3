"""The GCP reference that ships with the project: valid, passing its own tests, applied for real."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from orchestrator.sandbox.cloud import Cloud
from orchestrator.sandbox.needs import Needs, ResourceTypes
from orchestrator.sandbox.sentinel import Sentinel
from orchestrator.state.marker import FILE_NAME as MARKER

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
BUCKET = "example-infra-state"
MODULES = sorted(path.parent.name for path in INFRA.glob("modules/*/versions.tf"))
ENVIRONMENTS = ("dev", "staging", "prod")
STACKS = ("network", "service", "ml")
CODE = [
    path for path in INFRA.rglob("*") if path.suffix in (".tf", ".hcl") and ".terraform" not in path.parts
]
BLOCK = re.compile(r'^(resource|data) "(\w+)" "\w+" \{$(.*?)^\}$', re.MULTILINE | re.DOTALL)
ARGUMENT = re.compile(r'^\s+(?:dynamic ")?(\w+)"?\s*(?:=|\{)', re.MULTILINE)
DECLARED = re.compile(r'^(resource|data) "(\w+)"', re.MULTILINE)


@dataclass(frozen=True)
class Reference:
    """A copy of `infra/`, and a simulated cloud to run it against."""

    folder: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, root: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Terraform in one folder of the copy."""
        return subprocess.run(
            [*self.argv, *arguments],
            cwd=self.folder / root,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def done(self, root: str, *arguments: str) -> str:
        """The same, and it must succeed."""
        child = self.run(root, *arguments)
        assert child.returncode == 0, f"{root} {arguments}\n{child.stdout}\n{child.stderr}"
        return child.stdout

    def apply(self, root: str, prefix: str) -> None:
        """Apply with the state in the bucket; then nothing is left to do."""
        self.done(root, "init", f"-backend-config=bucket={BUCKET}", f"-backend-config=prefix={prefix}")
        self.done(root, "apply", "-auto-approve")
        self.done(root, "plan", "-detailed-exitcode")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    code = [match for path in CODE for match in DECLARED.findall(path.read_text())]
    cloud = Cloud(tmp_path / "cloud")
    cloud.start()
    types = ResourceTypes(
        frozenset(name for kind, name in code if kind == "resource"),
        frozenset(name for kind, name in code if kind == "data"),
    )
    missing = cloud.prepare(Needs(types=types).document())
    assert missing == {"providers": [], "types": []}
    yield cloud
    cloud.close()


@pytest.fixture
def reference(
    cloud: Cloud, tmp_path: Path, terraform_argv: tuple[str, ...], child_env: dict[str, str]
) -> Iterator[Reference]:
    shutil.copytree(INFRA, tmp_path / "infra", ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    sentinel = Sentinel()
    attached = {
        "TF_REATTACH_PROVIDERS": cloud.reattach(sentinel.pid),
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{cloud.gcs_port}",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
    yield Reference(tmp_path / "infra", terraform_argv, {**child_env, **attached})
    sentinel.close()


def test_environments_differ_in_values_only() -> None:
    for stack in STACKS:
        code = [
            {path.name: path.read_text() for path in (INFRA / "envs" / environment / stack).glob("*.tf")}
            for environment in ENVIRONMENTS
        ]
        assert code[0], stack
        assert code[0] == code[1] == code[2], stack


def test_modules_bring_neither_provider_nor_backend() -> None:
    for path in INFRA.glob("modules/*/*.tf"):
        assert not re.search(r"^\s*(provider|backend)\b", path.read_text(), re.MULTILINE), path


def test_every_module_has_tests_and_each_asserts_something() -> None:
    """`make modules`, which is a part of CI, executes them."""
    for module in MODULES:
        tests = "".join(path.read_text() for path in INFRA.glob(f"modules/{module}/tests/*.tftest.hcl"))
        assert len(re.findall(r"^run ", tests, re.MULTILINE)) >= 10, module
    for path in INFRA.rglob("*.tftest.hcl"):
        runs = re.split(r"^run ", path.read_text(), flags=re.MULTILINE)[1:]
        silent = [run.split()[0] for run in runs if "assert {" not in run and "expect_failures" not in run]
        assert runs, path
        assert not silent, f"{path}: {silent}"


def test_nothing_is_deprecated() -> None:
    """Terraform leaves this to the provider, and the simulated one does not say it."""
    recorded = next((ROOT / "orchestrator/sandbox/schemas").glob("google-*.schema.json.gz"))
    providers = json.loads(gzip.decompress(recorded.read_bytes()))["provider_schemas"]
    google = providers["registry.terraform.io/hashicorp/google"]
    checked = set()
    for path in CODE:
        for kind, name, body in BLOCK.findall(path.read_text()):
            if kind == "resource":
                block = google["resource_schemas"][name]["block"]
                assert not block.get("deprecated"), f"{path}: {name}"
                assert not _deprecated(block) & set(ARGUMENT.findall(body)), f"{path}: {name}"
                checked.add(name)
    assert len(checked) >= 20


def _deprecated(block: Mapping[str, Any]) -> set[str]:
    """The names of the deprecated arguments and blocks at any depth."""
    nested = block.get("block_types", {})
    old = {name for name, each in block.get("attributes", {}).items() if each.get("deprecated")}
    old |= {name for name, each in nested.items() if each["block"].get("deprecated")}
    return old.union(*(_deprecated(each["block"]) for each in nested.values()))


def test_everything_is_formatted_and_valid(reference: Reference) -> None:
    assert reference.run(".", "fmt", "-check", "-recursive").stdout == ""
    roots = ["bootstrap", *(f"modules/{module}/examples/full" for module in MODULES)]
    roots += [f"envs/dev/{stack}" for stack in STACKS]
    for root in roots:
        reference.done(root, "init", "-backend=false")
        document = json.loads(reference.done(root, "validate", "-json"))
        assert document["diagnostics"] == [], root


def test_environments_apply_one_after_the_other(reference: Reference, cloud: Cloud) -> None:
    bucket = Needs(buckets=(BUCKET,)).document()
    cloud.prepare(bucket)
    for environment in ("dev", "prod"):
        for stack in STACKS:
            reference.apply(f"envs/{environment}/{stack}", f"{environment}/state/{stack}")
    services = [item for item in cloud.world.list() if item.type == "google_cloud_run_v2_service"]
    assert len(services) == 2
    for stack in reversed(STACKS):
        reference.done(f"envs/dev/{stack}", "destroy", "-auto-approve")
    refused = reference.run("envs/prod/service", "destroy", "-auto-approve")
    assert refused.returncode == 1
    assert "deletion_protection" in refused.stderr


def test_a_deploy_of_the_app_is_no_change(reference: Reference, cloud: Cloud) -> None:
    root = "modules/service-app-deployed/examples/minimal"
    reference.done(root, "init")
    reference.done(root, "apply", "-auto-approve")
    service = f"google_cloud_run_v2_service/{cloud.world.list('google_cloud_run_v2_service')[0].id}"
    deployed = {
        "client": "gcloud",
        "client_version": "540.0.0",
        "template[0].revision": "web-00002-abc",
        "template[0].labels": {"commit": "4f2a"},
        "template[0].containers[0].image": "europe-docker.pkg.dev/example/apps/web:2.0.0",
    }
    for path, value in deployed.items():
        cloud.world.set(service, path, value)
    reference.done(root, "plan", "-detailed-exitcode")
    cloud.world.set(service, "template[0].timeout", "900s")
    assert reference.run(root, "plan", "-detailed-exitcode").returncode == 2


def test_bootstrap_moves_its_state_into_the_bucket_that_it_makes(reference: Reference, cloud: Cloud) -> None:
    override = reference.folder / "bootstrap/backend_override.tf"
    override.write_text('terraform {\n  backend "local" {}\n}\n')
    reference.done("bootstrap", "init")
    reference.done("bootstrap", "apply", "-auto-approve")
    override.unlink()
    settings = [f"-backend-config={each}" for each in (f"bucket={BUCKET}", "prefix=bootstrap/state")]
    reference.done("bootstrap", "init", "-migrate-state", "-force-copy", *settings)
    reference.done("bootstrap", "plan", "-detailed-exitcode")
    assert set(cloud.states()) == {"bootstrap/state/default.tfstate"}
    assert _github_bindings(cloud) == {
        f"infra-{environment}-{use}": f"{use}-{environment}"
        for environment in ENVIRONMENTS
        for use in ("plan", "apply", "drift")
    } | {"infra-attest": "attest"}

    bucket = f"/storage/v1/b/{BUCKET}"
    policy = json.loads(_ask(cloud.gcs_port, "GET", f"{bucket}/iam")[1])
    whole = [binding for binding in policy["bindings"] if "condition" not in binding]
    assert whole == [{"role": "roles/storage.admin", "members": ["group:infra-admins@example.com"]}]
    rights = {b["role"]: b["condition"]["expression"] for b in policy["bindings"] if "condition" in b}
    assert set(rights) == {"roles/storage.objectViewer", "roles/storage.objectCreator"}
    for expression in rights.values():
        assert expression == f'resource.name == "projects/_/buckets/{BUCKET}/objects/{MARKER}"'
    document = json.loads(_ask(cloud.gcs_port, "GET", bucket)[1])
    assert document["versioning"] == {"enabled": True}
    assert document["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    assert document["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] is True

    ports = {account: _port(cloud, account) for account in ("plan", "apply", "drift")}
    names = ["bootstrap/state/default.tfstate"]
    for folder in ("state/network/", "ledger/", "plans/", "drift/"):
        names += [f"dev/{folder}x", f"prod/{folder}x"]
    may = {account: {name for name in names if _may_write(port, name)} for account, port in ports.items()}
    assert may == {
        "plan": {"dev/plans/x"},
        "apply": {"dev/state/network/x", "dev/ledger/x", "dev/plans/x", "dev/drift/x"},
        "drift": {"dev/drift/x"},
    }
    assert not _may_write(ports["plan"], "dev/plans/x"), "a plan that is there cannot be replaced"
    may = {account: {name for name in names if _may_read(port, name)} for account, port in ports.items()}
    assert may == {
        "plan": {"dev/state/network/x", "dev/ledger/x", "dev/plans/x", "dev/drift/x"},
        "apply": {"dev/state/network/x", "dev/ledger/x", "dev/plans/x", "dev/drift/x"},
        "drift": {"dev/state/network/x", "dev/ledger/x", "dev/drift/x"},
    }


def _github_bindings(cloud: Cloud) -> dict[str, str]:
    """Which value of `attribute.infra` may act as which account."""
    github_bindings = {}
    for item in cloud.world.list("google_service_account_iam_member"):
        account = item.attributes["service_account_id"].rpartition("/")[2].partition("@")[0]
        github_bindings[account] = item.attributes["member"].rpartition("/attribute.infra/")[2]
    return github_bindings


def _port(cloud: Cloud, account: str) -> int:
    """A port that acts as one of dev's accounts, with the rights that the bootstrap gave and no others."""
    member = f"serviceAccount:infra-dev-{account}@example-infra.iam.gserviceaccount.com"
    return cloud._gcs.open_port(member)


def _may_write(port: int, name: str) -> bool:
    path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(name, safe='')}"
    return _allowed(_ask(port, "POST", path, b"{}")[0])


def _may_read(port: int, name: str) -> bool:
    return _allowed(_ask(port, "GET", f"/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}?alt=media")[0])


def _allowed(status: int) -> bool:
    assert status in (200, 403), status
    return status == 200


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
