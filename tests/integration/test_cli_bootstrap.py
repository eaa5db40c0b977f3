"""`infra bootstrap` on the sandbox: from nothing to a bucket with its own state, whatever fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.repository.loading import load
from orchestrator.sandbox import launch
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.identity import attribute_of
from tests.support.repo import Repo
from tests.support.schemas import check_schema
from tests.support.warm import run_warm

pytest.importorskip("grpc")

INFRA = Path(__file__).parents[2] / "infra"
BUCKET = "example-infra-state"
STATE = "bootstrap/state/default.tfstate"
VALUES = """
project_id     = "example-infra"
region         = "europe-west1"
state_bucket   = "example-infra-state"
state_location = "EU"
admins         = ["group:infra-admins@example.com"]
repository     = { owner = "example", owner_id = "1001", name = "infrastructure", id = "2002" }
environments   = { dev = { project_id = "example-dev" } }
"""
SECOND = """
repositories = {
  "teams/shop" = {
    name         = "shop"
    repository   = { owner = "example", owner_id = "1001", name = "shop", id = "3003" }
    environments = { dev = { project_id = "example-shop", apply_roles = ["roles/run.admin"] } }
  }
}
"""
NETWORK = 'terraform {\n  backend "gcs" {}\n}\nresource "terraform_data" "x" {}\n'
CONFIG = "backend: {gcs: {bucket: example-infra-state}}\n"
PLAN = "infra-dev-plan@example-infra.iam.gserviceaccount.com"


@dataclass
class BootstrapProject:
    """A repository with the reference's bootstrap, and a sandbox that is up."""

    root: Path
    environ: dict[str, str]
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)

    def infra(self, *arguments: str, expect: int = 0) -> str:
        """Run a command; both of its outputs."""
        return self._run(arguments, self.environ, expect)

    def on_sandbox(self, *arguments: str, expect: int = 0, account: str = "owner") -> str:
        """Run infra on the sandbox, with what `infra sandbox exec` gives to a program."""
        if account not in self.accounts:
            infra = self.infra("sandbox", "exec", "--account", account, "--", "env", "-0")
            self.accounts[account] = dict(line.split("=", 1) for line in infra.split("\0") if line)
        return self._run(arguments, self.accounts[account], expect)

    def _run(self, arguments: Sequence[str], environ: Mapping[str, str], expect: int) -> str:
        done = run_warm(arguments, self.root, environ)
        assert done.code == expect, done.out + done.err
        return done.out + done.err

    def bootstrap(self, *arguments: str, expect: int = 0) -> str:
        """Run the command that is tested, with its question answered."""
        return self.on_sandbox("bootstrap", "--auto-approve", *arguments, expect=expect)

    def gcs(self, method: str, path: str, body: Any = None) -> Any:
        """One request as the bucket's owner."""
        port = json.loads((self.root / ".infra/sandbox/sandbox.json").read_text())["gcs"]
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own address
            return json.loads(answer.read() or b"{}")

    def state(self) -> dict[str, Any]:
        """The bootstrap's state in the bucket."""
        name = STATE.replace("/", "%2F")
        gcs: dict[str, Any] = self.gcs("GET", f"/storage/v1/b/{BUCKET}/o/{name}?alt=media")
        return gcs

    @property
    def local(self) -> Path:
        """Where the state is before there is a bucket."""
        return self.root / ".infra/bootstrap/terraform.tfstate"


MakeShell = Callable[..., BootstrapProject]


@pytest.fixture
def make_shell(tmp_path: Path) -> Iterator[MakeShell]:
    writers: list[int] = []

    def make(config: str = CONFIG) -> BootstrapProject:
        shell = BootstrapProject(tmp_path / "repo", dict(os.environ))
        left_out = shutil.ignore_patterns(".terraform*", "*.tfstate*", "tests", "examples")
        for part in ("bootstrap", "modules/github-identity", "modules/state-bucket"):
            shutil.copytree(INFRA / part, shell.root / "infra" / part, ignore=left_out)
        files = {"infra.yaml": config, "infra/bootstrap/terraform.tfvars": VALUES}
        Repo(shell.root, {**files, "infra/envs/dev/network/main.tf": NETWORK})
        reader, writer = os.pipe()
        writers.append(writer)
        launch.start(shell.root / ".infra/sandbox", shell.environ, hold=reader)
        os.close(reader)
        shell.infra("sandbox", "up")
        return shell

    yield make
    for writer in writers:
        os.close(writer)


def test_from_nothing_to_a_bucket_that_holds_its_own_state(make_shell: MakeShell) -> None:
    shell = make_shell()

    text = shell.bootstrap()

    assert f"dev plan account: {PLAN} reads the states of dev and cannot write them" in text
    assert "a state's lock is held by one at a time" in text
    assert "infra-attest@example-infra.iam.gserviceaccount.com adds attestations" in text
    assert text.count("✓") == 6
    assert "gh variable set INFRA_WORKLOAD_IDENTITY_PROVIDER --body 'projects/" in text
    assert "Wrote the accounts of dev into infra.yaml" in text
    assert (shell.root / "infra.yaml").read_text().startswith(CONFIG)
    assert load(shell.root).config.environment("dev").accounts.plan == PLAN
    assert load(shell.root).config.accounts.attest == "infra-attest@example-infra.iam.gserviceaccount.com"
    assert any(resource["type"] == "google_storage_bucket" for resource in shell.state()["resources"])
    check_identity(shell.state())
    assert not shell.local.exists()
    bindings = shell.gcs("GET", f"/storage/v1/b/{BUCKET}/iam")["bindings"]
    assert [binding for binding in bindings if "condition" not in binding] == [
        {"role": "roles/storage.admin", "members": ["group:infra-admins@example.com"]}
    ]
    assert all(
        binding["condition"]["expression"].endswith('/objects/repository.json"') for binding in bindings[1:]
    )
    assert shell.gcs("GET", f"/storage/v1/b/{BUCKET}/o/repository.json")["generation"]
    # Whoever only plans cannot make the key that approvals are hashed with.
    assert shell.gcs("GET", f"/storage/v1/b/{BUCKET}/o/dev%2Fledger%2Fdigest.key")["size"] == "65"
    status = subprocess.run(["git", "status", "--porcelain"], cwd=shell.root, capture_output=True, text=True)
    assert status.stdout == " M infra.yaml\n"

    document = json.loads(shell.on_sandbox("bootstrap", "--json"))
    check_schema(document, "bootstrap")
    assert document["result"] == "unchanged"
    assert {check["status"] for check in document["checks"]} == {"ok"}
    assert document["outputs"]["accounts"]["dev"]["plan"] == PLAN
    # The rights are those that the bootstrap gave: a stack is applied by dev's apply account.
    text = (shell.root / "infra.yaml").read_text()
    (shell.root / "infra.yaml").write_text(text.replace("  dev:\n", "  dev:\n    protected: false\n"))
    applied = shell.on_sandbox("apply", "dev/network", "--auto-approve", account="dev:apply")
    assert "1 applied" in applied
    assert "1 unchanged" in shell.on_sandbox("plan", "dev/network", account="dev:plan")

    # A second repository in the same bucket.
    (shell.root / "infra/bootstrap/terraform.tfvars").write_text(VALUES + SECOND)
    text = shell.bootstrap()
    assert "2 to change, 0 to destroy" in text
    assert "For the repository whose folder in the bucket is teams/shop" in text
    assert "        plan: shop-dev-plan@example-infra.iam.gserviceaccount.com" in text
    folder = "teams%2Fshop%2Fdev"
    assert shell.gcs("GET", f"/storage/v1/b/{BUCKET}/o/{folder}%2Fledger%2Fdigest.key")["size"] == "65"
    [grant] = shell.gcs("GET", f"/storage/v1/b/{BUCKET}/managedFolders/{folder}%2F/iam")["bindings"]
    assert grant["members"] == ["serviceAccount:shop-dev-apply@example-infra.iam.gserviceaccount.com"]


HERE = "example/infrastructure/.github/workflows"
MAIN = "refs/heads/main"
APPLY = f"{HERE}/infra-apply.yml@{MAIN}"
MINE = f"{HERE}/infra-plan.yml@refs/pull/7/merge"
# Claims of a job's token (its own workflow, the one that started the run, its environment), and who it is.
CLAIMS: tuple[tuple[str, str, str, str], ...] = (
    (f"{HERE}/infra-plan-dev.yml@{MAIN}", MINE, "", "plan-dev"),
    (f"{HERE}/infra-plan-dev.yml@{MAIN}", APPLY, "", "plan-dev"),
    (f"{HERE}/infra-plan-dev.yml@{MAIN}", APPLY, "dev", "plan-dev"),
    (f"{HERE}/infra-drift-dev.yml@{MAIN}", f"{HERE}/infra-drift.yml@{MAIN}", "", "drift-dev"),
    (f"{HERE}/infra-attest.yml@{MAIN}", MINE, "", "attest"),
    (APPLY, APPLY, "dev", "apply-dev"),
    ("", APPLY, "dev", "apply-dev"),
    # A job of a pull request or a branch, of another repository's file, or without its environment.
    (MINE, MINE, "", "none"),
    (MINE, MINE, "dev", "none"),
    (APPLY, APPLY, "", "none"),
    (f"{HERE}/infra-apply.yml@refs/heads/mine", f"{HERE}/infra-apply.yml@refs/heads/mine", "dev", "none"),
    (f"{HERE}/infra-attest.yml@refs/heads/mine", MINE, "", "none"),
    (f"{HERE}/infra-attest.yml@refs/tags/main", MINE, "", "none"),
    (f"{HERE}/infra-plan-dev.yml@refs/heads/mine", MINE, "", "none"),
    (f"evil/example/infrastructure/.github/workflows/infra-plan-dev.yml@{MAIN}", MINE, "", "none"),
    (f"evil/infrastructure/.github/workflows/infra-attest.yml@{MAIN}", MINE, "", "none"),
    (f"{HERE}/infra-chat.yml@{MAIN}", f"{HERE}/infra-chat.yml@{MAIN}", "", "none"),
    # A branch may be called almost anything.
    (f"{HERE}/evil.yml@refs/heads/{HERE}/infra-plan-dev.yml@{MAIN}", MINE, "", "none"),
    (f"{HERE}/evil.yml@refs/heads/{HERE}/infra-attest.yml@{MAIN}", MINE, "", "none"),
    (f"evil/x/.github/workflows/e.yml@refs/heads/{HERE}/infra-drift-dev.yml@{MAIN}", MINE, "", "none"),
    (f"{HERE}/infra-plan-dev.yml@refs/heads/x.yml@{MAIN}", MINE, "", "another environment's"),
)


def check_identity(state: dict[str, Any]) -> None:
    """Each job of ours is one account's, and no other job is any account's."""

    def attributes(type_: str) -> list[dict[str, Any]]:
        resources = [resource for resource in state["resources"] if resource["type"] == type_]
        return [instance["attributes"] for resource in resources for instance in resource["instances"]]

    (provider,) = attributes("google_iam_workload_identity_pool_provider")
    mapping = provider["attribute_mapping"]["attribute.infra"]
    bindings = attributes("google_service_account_iam_member")
    bound = {
        binding["member"].rpartition("/")[2] for binding in bindings if "principalSet" in binding["member"]
    }
    assert bound == {"attest", "plan-dev", "drift-dev", "apply-dev"}
    for job, run, environment, expected in CLAIMS:
        claims = {"workflow_ref": run}
        claims |= {"job_workflow_ref": job} if job else {}
        claims |= {"environment": environment} if environment else {}
        attribute = attribute_of(mapping, claims)
        assert attribute == expected or (expected not in bound and attribute not in bound), (
            claims,
            attribute,
        )


APART = "backend: {gcs: {bucket: 'acme-{environment}', prefix: '{stack}'}}\n"


def test_a_bucket_for_each_environment_one_of_which_exists(make_shell: MakeShell) -> None:
    """The bootstrap has a bucket of its own; what exists keeps its policy and gets members beside it."""
    shell = make_shell(APART)
    own = f'backend "gcs" {{\n    bucket = "{BUCKET}"\n    prefix = "bootstrap/state"\n  }}'
    versions = shell.root / "infra/bootstrap/versions.tf"
    versions.write_text(versions.read_text().replace('backend "gcs" {}', own))
    prod = shell.root / "infra/envs/prod/network"
    prod.mkdir(parents=True)
    (prod / "main.tf").write_text(NETWORK)
    values = shell.root / "infra/bootstrap/terraform.tfvars"
    projects = '{ dev = { project_id = "example-dev" }, prod = { project_id = "example-prod" } }'
    values.write_text(VALUES.replace('{ dev = { project_id = "example-dev" } }', projects))
    shell.on_sandbox("list")
    for name in ("acme-dev", "acme-prod"):
        shell.gcs("DELETE", f"/storage/v1/b/{name}")
    shell.gcs("POST", "/storage/v1/b?project=example-dev", {"name": "acme-dev", "location": "EU"})
    text = shell.bootstrap(expect=1)
    assert "Wrote the folders of the environments to infra/bootstrap/locations.auto.tfvars.json" in text
    assert "--uniform-bucket-level-access" in text
    uniform = {"uniformBucketLevelAccess": {"enabled": True}}
    shell.gcs("PATCH", "/storage/v1/b/acme-dev", {"iamConfiguration": uniform})
    binding = {"role": "roles/storage.objectViewer", "members": ["user:ada@example.com"]}
    shell.gcs("PUT", "/storage/v1/b/acme-dev/iam", {"bindings": [binding]})

    text = shell.bootstrap()

    assert "! bucket: gs://acme-dev: not so that old versions are kept" in text
    for name in ("dev", "prod"):
        assert f"✓ {name} plan account:" in text
    assert "✓ attest account" in text
    bindings = shell.gcs("GET", "/storage/v1/b/acme-dev/iam")["bindings"]
    assert {"role": binding["role"], "members": sorted([*binding["members"], *readers("dev")])} in [
        {**each, "members": sorted(each["members"])} for each in bindings
    ]
    assert {"role": "roles/storage.objectUser", "members": [member("dev", "apply")]} in bindings
    assert shell.gcs("GET", "/storage/v1/b/acme-prod")["versioning"] == {"enabled": True}
    bindings = shell.gcs("GET", "/storage/v1/b/acme-prod/iam")["bindings"]
    assert [each for each in bindings if "condition" not in each] == [
        {"role": "roles/storage.admin", "members": ["group:infra-admins@example.com"]},
        {"role": "roles/storage.objectUser", "members": [member("prod", "apply")]},
        {"role": "roles/storage.objectViewer", "members": readers("prod")},
    ]
    for name in ("dev", "prod"):
        assert shell.gcs("GET", f"/storage/v1/b/acme-{name}/o/{name}%2Fledger%2Fdigest.key")["size"] == "65"
    assert json.loads(shell.on_sandbox("bootstrap", "--json"))["result"] == "unchanged"
    assert "bootstrap-locations" not in shell.infra("validate", expect=0)
    (prod.parent / "network").rename(prod.parent / "net")
    assert "bootstrap-locations" not in shell.infra("validate", expect=0), "the whole bucket holds new stacks"
    (shell.root / "infra.yaml").write_text(APART.replace("acme-{", "other-{"))
    assert "bootstrap-locations" in shell.infra("validate", expect=0)


def member(environment: str, use: str) -> str:
    """An account of an environment, as IAM names it."""
    return f"serviceAccount:infra-{environment}-{use}@example-infra.iam.gserviceaccount.com"


def readers(environment: str) -> list[str]:
    """The accounts that read an environment."""
    return [member(environment, "drift"), member(environment, "plan")]


def test_it_wants_consent_and_goes_on_after_each_failure(
    make_shell: MakeShell, terraform_argv: tuple[str, ...]
) -> None:
    """An apply that fails, a state that does not move, a run that is killed before its copy is gone."""
    shell = make_shell(CONFIG + "terraform: {binary: bin/terraform}\n")
    wrapper = shell.root / "bin/terraform"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "state push" ] && [ -e "{shell.root}/broken" ] && '
        f'{{ echo "Error: no" >&2; exit 1; }}\nexec "{terraform_argv[0]}" "$@"\n'
    )
    wrapper.chmod(0o755)
    assert "--auto-approve" in shell.on_sandbox("bootstrap", expect=4)
    shell.infra("sandbox", "world", "break", "google_service_account", "create", "Error 403: Not now")

    text = shell.bootstrap(expect=7)
    assert "Not now" in text
    assert "it goes on from here" in text
    assert shell.local.exists()

    shell.infra("sandbox", "world", "mend")
    (shell.root / "broken").touch()
    assert f"could not be moved to gs://{BUCKET}/{STATE}: Error: no" in shell.bootstrap(expect=1)
    document = json.loads(shell.local.read_text())

    (shell.root / "broken").unlink()
    assert "✓ lock" in shell.bootstrap()
    assert not shell.local.exists()
    moved = shell.state()
    assert (moved["lineage"], moved["resources"]) == (document["lineage"], document["resources"])

    # It was killed after the state had moved and before the copy was gone; then somebody left another one.
    shell.local.write_text(json.dumps(moved))
    shell.bootstrap()
    assert not shell.local.exists()
    shell.local.write_text(json.dumps({**moved, "lineage": "another"}))
    assert "two states of the bootstrap" in shell.bootstrap(expect=1)


def test_a_bucket_of_somebody_else_s_is_one_clear_error_and_ones_own_can_be_adopted(
    make_shell: MakeShell,
) -> None:
    shell = make_shell()
    shell.gcs("DELETE", f"/storage/v1/b/{BUCKET}")
    shell.gcs("POST", "/storage/v1/b?project=example-infra", {"name": BUCKET, "location": "EU"})

    text = shell.bootstrap(expect=1)
    assert f"gs://{BUCKET} exists already, and this bootstrap did not make it" in text
    assert "error:" in text
    refused = shell.on_sandbox("bootstrap", "--auto-approve", account="dev:plan", expect=1)
    assert "it belongs to somebody else, or you are not one of its admins" in refused
    assert not shell.local.exists()

    assert "✓ lock" in shell.bootstrap("--adopt")
    assert shell.gcs("GET", f"/storage/v1/b/{BUCKET}")["versioning"] == {"enabled": True}


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ("", (), "a bootstrap makes one bucket"),
        ("backend: {gcs: {bucket: 'x-{environment}'}}\n", (), "a bootstrap makes one bucket"),
        (CONFIG, ("infra/nowhere",), "There is no Terraform code in infra/nowhere"),
        (CONFIG, ("infra/modules/m",), "must declare an empty gcs backend"),
    ],
)
def test_what_cannot_be_bootstrapped_is_reported(
    make_repo: MakeRepo, config: str, arguments: tuple[str, ...], message: str
) -> None:
    files = {"infra.yaml": config, "infra/bootstrap/main.tf": NETWORK, "infra/modules/m/main.tf": "\n"}
    infra = Infra(make_repo(files).root, {})

    assert message in infra("bootstrap", *arguments, code=3).err
