"""The real AWS provider: plan, apply, drift, and applies that are killed and resumed.

AWS is moto on loopback. `make real-aws` runs this where TF_CLI_CONFIG_FILE names a filesystem mirror that
holds hashicorp/aws. The provider is started once, but where it is what dies: a start takes it seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from tests.support.cli import Infra
from tests.support.moto import Aws, Moment, moto_server, serving
from tests.support.real_provider import attached, mirrored
from tests.support.remembered import serving as serving_bucket
from tests.support.repo import Repo

pytestmark = pytest.mark.real
# Before the tests' own environment hides it.
CLI_CONFIG = os.environ.get("TF_CLI_CONFIG_FILE") or ""
PROVIDER = mirrored(CLI_CONFIG, "aws")
SERVER = moto_server(dict(os.environ))
GO = ("--auto-approve", "--allow-destroy", "--confirm", "dev")
STACK = "dev/aws"
# Seconds; a backstop.
LIMIT = 1200.0

CONFIG = "version: 1\nbackend:\n  gcs: {bucket: states}\nenvironments:\n  dev: {timeouts: {unlock: 3s}}\n"
SERVICES = ("ec2", "iam", "s3", "sqs", "sts")
HEAD = """
terraform {{
  backend "gcs" {{}}
  required_providers {{
    aws = {{
      source = "hashicorp/aws"
    }}
  }}
}}
provider "aws" {{
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  max_retries                 = 1
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  endpoints {{
{endpoints}
  }}
}}
"""
# Each waits for the one before, so that a kill at one operation always leaves the same behind.
CHAIN = (
    ("aws_vpc", 'cidr_block = "10.0.0.0/16"'),
    ("aws_subnet", 'vpc_id = aws_vpc.x.id\n  cidr_block = "10.0.1.0/24"'),
    ("aws_route_table", "vpc_id = aws_vpc.x.id"),
    ("aws_route_table_association", "subnet_id = aws_subnet.x.id\n  route_table_id = aws_route_table.x.id"),
    ("aws_iam_role", 'name = "web"\n  assume_role_policy = local.trust'),
    ("aws_iam_policy", 'name = "read"\n  policy = local.read'),
    ("aws_iam_role_policy_attachment", "role = aws_iam_role.x.name\n  policy_arn = aws_iam_policy.x.arn"),
    ("aws_iam_user", 'name = "robot"'),
    ("aws_iam_access_key", "user = aws_iam_user.x.name"),
    ("aws_sqs_queue", 'name = "jobs"\n  tags = { env = "dev" }'),
    ("aws_s3_bucket", 'bucket = "data"'),
    ("aws_s3_object", 'bucket = aws_s3_bucket.x.id\n  key = "a/b.txt"\n  content = "one"'),
)
LOCALS = """
locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole",
    Principal = { Service = "ec2.amazonaws.com" } }] })
  read = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:GetObject",
    Resource = "*" }] })
}
"""

Who = Literal["both", "terraform", "infra", "provider"]


@dataclass(frozen=True)
class Kill:
    """When and whom; `imported` are the types that the resume imports, `named` what it says besides."""

    operation: str
    moment: Moment
    who: Who
    imported: frozenset[str]
    named: tuple[str, ...] = ()


def up_to(last: str, *more: str) -> frozenset[str]:
    """The types of the chain up to one, and some more."""
    types = [type_ for type_, _ in CHAIN]
    return frozenset((*types[: types.index(last) + 1], *more))


KILLS = (
    Kill("CreateSubnet", "before", "both", up_to("aws_vpc")),
    Kill("CreateRouteTable", "before", "terraform", up_to("aws_subnet")),
    # The association's `id` is not what its import takes, and the ids that it takes are new.
    Kill("CreateRole", "before", "both", up_to("aws_route_table_association")),
    Kill("CreateRole", "after", "both", up_to("aws_iam_role")),
    Kill("AttachRolePolicy", "after", "both", up_to("aws_iam_role_policy_attachment")),
    Kill("CreateUser", "after", "terraform", up_to("aws_iam_user")),
    Kill("CreateQueue", "before", "both", up_to("aws_iam_access_key"), ("gives secret", "--replace")),
    Kill("PUT /data", "after", "both", up_to("aws_s3_bucket")),
    Kill("CreateUser", "after", "provider", frozenset({"aws_iam_user"})),
    Kill("CreateQueue", "before", "infra", frozenset(), ("was followed to its end",)),
)


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    if PROVIDER is None:
        pytest.skip("TF_CLI_CONFIG_FILE names no filesystem mirror that holds hashicorp/aws")
    if SERVER is None:
        pytest.skip("moto_server is not installed: `make real-aws` installs it")
    with serving(SERVER) as server:
        yield server


@pytest.fixture(scope="module")
def reattach(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert PROVIDER
    with attached(PROVIDER, tmp_path_factory.mktemp("provider")) as value:
        yield value


@dataclass(frozen=True)
class Lab:
    """The project with a bucket of its own."""

    root: Path
    env: dict[str, str]
    aws: Aws

    @property
    def infra(self) -> Infra:
        """`infra` in this process."""
        return Infra(self.root, self.env)

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """`infra` as a process of its own, with a session of its own."""
        with (self.root / ".infra-out").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "orchestrator", *argv],
                cwd=self.root,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )


@pytest.fixture(scope="module")
def project(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    endpoints = "\n".join(f'    {service} = "{aws.url}"' for service in SERVICES)
    code = HEAD.format(endpoints=endpoints) + LOCALS
    before = ""
    for type_, body in CHAIN:
        waits = f"  depends_on = [{before}.x]\n" if before else ""
        code += f'resource "{type_}" "x" {{\n  {body}\n{waits}}}\n'
        before = type_
    files = {
        "infra.yaml": CONFIG,
        "infra/envs/dev/aws/main.tf": code,
        ".gitignore": ".infra-out\n.terraform.lock.hcl\n",
    }
    return Repo(tmp_path_factory.mktemp("aws") / "repo", files)


@pytest.fixture
def lab(project: Repo, aws: Aws, tmp_path: Path) -> Iterator[Lab]:
    """The project on a cloud without anything in it."""
    aws.reset()
    with serving_bucket(tmp_path / "gcs") as bucket:
        env = {"STORAGE_EMULATOR_HOST": bucket.url, "INFRA_SANDBOX": "test", "TF_CLI_CONFIG_FILE": CLI_CONFIG}
        yield Lab(project.root, env, aws)


def children(parent: int) -> Iterator[int]:
    """All processes below one, as /proc tells it."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            yield int(path.parent.name)
            yield from children(int(path.parent.name))


def name_of(pid: int) -> str:
    """The program that a process runs."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def killer(infra: subprocess.Popen[bytes], who: Who) -> Callable[[], None]:
    """Kills, at the moment that it is called: the provider dies with its Terraform."""

    def kill() -> None:
        below = {pid: name_of(pid) for pid in children(infra.pid)}
        wanted = [pid for pid, name in below.items() if name.startswith("terraform-prov")] * (who != "infra")
        wanted += [pid for pid, name in below.items() if name == "terraform"] * (who in ("both", "terraform"))
        wanted += [infra.pid] * (who in ("both", "infra"))
        assert wanted, below
        for pid in reversed(wanted):
            os.kill(pid, signal.SIGKILL)

    return kill


def assert_whole(lab: Lab, kill: Kill) -> None:
    """Nothing is left to do, and nothing that AWS names was created twice; a lost request counts, too."""
    lab.infra("plan", STACK, "--detailed-exitcode", code=0)
    for operation in ("CreateVpc", "CreateSubnet", "CreateRouteTable", "CreateAccessKey"):
        lost = operation == kill.operation and kill.moment == "before"
        assert lab.aws.calls.count(operation) == 1 + lost, operation
    assert lab.infra("status", "--json", code=0).document["stacks"][0]["standing"] == "up-to-date"


def test_plan_apply_and_drift(lab: Lab, reattach: str) -> None:
    lab = replace(lab, env={**lab.env, "TF_REATTACH_PROVIDERS": reattach})
    assert lab.infra("plan", STACK, "--json", code=0).stack(STACK)["counts"]["create"] == len(CHAIN)
    assert lab.infra("apply", STACK, *GO, "--json", code=0).results == {STACK: "applied"}
    lab.infra("plan", STACK, "--detailed-exitcode", code=0)
    assert lab.infra("drift", STACK, "--json", code=0).results == {STACK: "clean"}


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: f"{kill.who} at {kill.operation}, {kill.moment}")
def test_a_killed_apply_is_resumed(lab: Lab, reattach: str, kill: Kill) -> None:
    if kill.who != "provider":
        lab = replace(lab, env={**lab.env, "TF_REATTACH_PROVIDERS": reattach})
    child = lab.start("apply", STACK, *GO)
    lab.aws.stop(kill.operation, kill.moment, killer(child, kill.who))
    child.wait(LIMIT)
    assert lab.aws.has_stopped, (lab.root / ".infra-out").read_text()[-3000:]
    assert lab.infra("status", "--json", code=0).document["stacks"][0]["standing"] == "unfinished"
    done = lab.infra("resume", *GO)
    assert done.code == 0, done.out + done.err
    imported = {type_ for type_, _ in CHAIN if f"{type_}.x" in done.out and _is_imported(type_, done.out)}
    assert imported == kill.imported, done.out
    assert [text for text in kill.named if text not in done.out] == []
    assert_whole(lab, kill)


def _is_imported(type_: str, text: str) -> bool:
    found = [line for line in text.splitlines() if line.strip().startswith(f"{type_}.x")]
    return any("it is imported" in line for line in found)
