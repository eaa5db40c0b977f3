"""The real AWS provider: plan, apply, drift, and applies that are killed and resumed.

AWS is moto on loopback. `make real-aws` runs this where TF_CLI_CONFIG_FILE names a filesystem mirror that
holds hashicorp/aws. The provider is started once, but where it is what dies: a start takes it seconds. Its
schema has only the types of the project.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator.sandbox.gcs.server import GcsServer
from tests.support.cli import Infra
from tests.support.moto import Aws, Moment
from tests.support.real_aws import CLI_CONFIG, provider_code
from tests.support.recorded_stack import serving as serving_bucket
from tests.support.repo import Repo
from tests.support.schema_proxy import served

pytestmark = pytest.mark.real
GO = ("--auto-approve", "--allow-destroy", "--confirm", "dev")
STACK = "dev/aws"
STATE = "dev/state/aws/default.tfstate"
EMPTY = {
    "version": 4,
    "terraform_version": "1.11.0",
    "serial": 1,
    "lineage": "00000000-0000-0000-0000-000000000001",
    "outputs": {},
    "resources": [],
}
# Seconds; a backstop.
LIMIT = 1200.0

CONFIG = "version: 1\nbackend:\n  gcs: {bucket: states}\nenvironments:\n  dev: {timeouts: {unlock: 3s}}\n"
SERVICES = ("ec2", "iam", "s3", "sns", "sts")
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
    ("aws_sns_topic", 'name = "jobs"\n  tags = { env = "dev" }'),
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

Who = Literal["both", "terraform", "provider"]


@dataclass(frozen=True)
class Kill:
    """When and whom; `imported` are the types that the resume imports, `named` what it says besides.

    With `plans` a plan shows afterwards that nothing is left to change; that takes the provider seconds. The
    `short` ones run in CI.
    """

    operation: str
    moment: Moment
    who: Who
    imported: frozenset[str]
    named: tuple[str, ...] = ()
    plans: bool = False
    short: bool = False

    @property
    def name(self) -> str:
        """The name of the case."""
        return f"{self.who} at {self.operation}, {self.moment}"


def up_to(last: str, *more: str) -> frozenset[str]:
    """The types of the chain up to one, and some more."""
    types = [type_ for type_, _ in CHAIN]
    return frozenset((*types[: types.index(last) + 1], *more))


SECRET = ("gives secret", "--replace")
KILLS = (
    Kill("CreateSubnet", "before", "both", up_to("aws_vpc")),
    Kill("CreateRouteTable", "before", "terraform", up_to("aws_subnet")),
    # The association's `id` is not what its import takes, and the ids that it takes are new.
    Kill("CreateRole", "before", "both", up_to("aws_route_table_association")),
    Kill("CreateRole", "after", "both", up_to("aws_iam_role")),
    Kill(
        "AttachRolePolicy", "after", "both", up_to("aws_iam_role_policy_attachment"), plans=True, short=True
    ),
    Kill("CreateUser", "after", "terraform", up_to("aws_iam_user")),
    Kill("CreateTopic", "before", "both", up_to("aws_iam_access_key"), SECRET, short=True),
    Kill("PUT /data", "after", "both", up_to("aws_s3_bucket"), plans=True),
    Kill("CreateUser", "after", "provider", frozenset({"aws_iam_user"}), plans=True),
)


@dataclass(frozen=True)
class AwsProject:
    """The project with a bucket of its own."""

    root: Path
    env: dict[str, str]
    aws: Aws
    bucket: GcsServer

    @property
    def infra(self) -> Infra:
        """`infra` in this process."""
        return Infra(self.root, self.env)

    def saved_ids(self) -> dict[str, str]:
        """Type → `id` of the resources in the state, of which the project has one each."""
        return {resource["type"]: _attributes(resource)["id"] for resource in self._saved_resources()}

    def saved_attributes(self, type_: str) -> dict[str, Any]:
        """The attributes of the project's only resource of a type, as the state has them."""
        [resource] = [resource for resource in self._saved_resources() if resource["type"] == type_]
        return _attributes(resource)

    def _saved_resources(self) -> list[dict[str, Any]]:
        resources: list[dict[str, Any]] = json.loads(self.bucket.store.read_object("states", STATE)[1])[
            "resources"
        ]
        return resources

    def output(self) -> str:
        """What the processes that were started wrote."""
        return (self.root / ".infra-out").read_text()

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """`infra` as a process of its own, with a session of its own."""
        with (self.root / ".infra-out").open("wb") as out:
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
    code = provider_code(aws.url, SERVICES, "gcs") + LOCALS
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


@pytest.fixture(scope="module")
def reattach(provider: str) -> Iterator[str]:
    """The value of TF_REATTACH_PROVIDERS: the provider with the types of the project."""
    with served(provider, {type_ for type_, _ in CHAIN}) as value:
        yield value


@pytest.fixture
def lab(project: Repo, aws: Aws, tmp_path: Path) -> Iterator[AwsProject]:
    """The project on a cloud without anything in it."""
    aws.reset()
    with serving_bucket(tmp_path / "gcs") as bucket:
        env = {"STORAGE_EMULATOR_HOST": bucket.url, "INFRA_SANDBOX": "test", "TF_CLI_CONFIG_FILE": CLI_CONFIG}
        yield AwsProject(project.root, env, aws, bucket)


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
        pids = [pid for pid, name in below.items() if name.startswith("terraform-prov")]
        pids += [pid for pid, name in below.items() if name == "terraform"] * (who != "provider")
        pids += [infra.pid] * (who == "both")
        assert pids, below
        for pid in reversed(pids):
            os.kill(pid, signal.SIGKILL)

    return kill


def assert_complete(lab: AwsProject, lost: str = "") -> None:
    """The state has all, and nothing that AWS names was created twice, but for a request that was lost."""
    assert lab.saved_ids().keys() == {type_ for type_, _ in CHAIN}
    for operation in ("CreateVpc", "CreateSubnet", "CreateRouteTable", "CreateAccessKey"):
        assert lab.aws.calls.count(operation) == 1 + (operation == lost), operation
    assert lab.infra("status", "--json", code=0).document["stacks"][0]["status"] == "up-to-date"


@pytest.mark.short
def test_plan_apply_and_drift(lab: AwsProject, reattach: str) -> None:
    lab = replace(lab, env={**lab.env, "TF_REATTACH_PROVIDERS": reattach})
    assert lab.infra("plan", STACK, "--json", code=0).stack(STACK)["counts"]["create"] == len(CHAIN)
    assert lab.infra("apply", STACK, *GO, "--json", code=0).results == {STACK: "applied"}
    lab.infra("plan", STACK, "--detailed-exitcode", code=0)
    assert lab.infra("drift", STACK, "--json", code=0).results == {STACK: "clean"}

    # Somebody else changes an attribute, adds a tag, and deletes an object.
    ids = lab.saved_ids()
    lab.aws.call("iam", "UpdateRole", RoleName="web", MaxSessionDuration="7200")
    lab.aws.call("ec2", "CreateTags", ResourceId_1=ids["aws_vpc"], Tag_1_Key="by", Tag_1_Value="hand")
    lab.aws.call("sns", "DeleteTopic", TopicArn=ids["aws_sns_topic"])
    drift = lab.infra("drift", STACK, "--json", code=8).stack(STACK)
    kinds = {
        resource["address"]: resource["difference"]
        for resource in drift["resources"]
        if resource["drift_class"] == "reverted"
    }
    assert kinds == {"aws_iam_role.x": "changed", "aws_vpc.x": "changed", "aws_sns_topic.x": "deleted"}
    assert lab.infra("apply", STACK, *GO, "--json", code=0).results == {STACK: "applied"}
    assert lab.infra("drift", STACK, "--json", code=0).results == {STACK: "clean"}


@pytest.mark.parametrize(
    "kill", [pytest.param(kill, id=kill.name, marks=[pytest.mark.short] * kill.short) for kill in KILLS]
)
def test_a_killed_apply_is_resumed(lab: AwsProject, reattach: str, kill: Kill) -> None:
    if kill.who != "provider":
        lab = replace(lab, env={**lab.env, "TF_REATTACH_PROVIDERS": reattach})
    # With a state, though an empty one, the plan that is shown is the one that is applied.
    lab.bucket.store.insert_object("states", STATE, json.dumps(EMPTY).encode())
    child = lab.start("apply", STACK, *GO)
    lab.aws.stop(kill.operation, kill.moment, killer(child, kill.who))
    child.wait(LIMIT)
    assert lab.aws.has_stopped, lab.output()[-3000:]
    assert lab.infra("status", "--json", code=0).document["stacks"][0]["status"] == "unfinished"
    # Terraform saves a remote state every 20 seconds: on a slow machine it knows some of them.
    saved = lab.saved_ids().keys()
    done = lab.infra("resume", *GO)
    assert done.code == 0, done.out + done.err
    imported = {type_ for type_, _ in CHAIN if f"{type_}.x" in done.out and _is_imported(type_, done.out)}
    assert imported == kill.imported - saved, done.out
    if not kill.imported & saved:
        assert [text for text in kill.named if text not in done.out] == []
    assert_complete(lab, kill.operation if kill.moment == "before" else "")
    if kill.plans:
        lab.infra("plan", STACK, "--detailed-exitcode", code=0)


def test_a_key_whose_secret_is_lost_is_replaced(lab: AwsProject, reattach: str) -> None:
    """An import has no secret: the lost key is deleted, and the new one has its secret in the state."""
    lab = replace(lab, env={**lab.env, "TF_REATTACH_PROVIDERS": reattach})
    lab.bucket.store.insert_object("states", STATE, json.dumps(EMPTY).encode())
    child = lab.start("apply", STACK, *GO)
    lab.aws.stop("CreateTopic", "before", killer(child, "both"))
    child.wait(LIMIT)
    done = lab.infra("resume", "--replace", "aws_iam_access_key.x", *GO)
    assert done.code == 0, done.out + done.err
    keys = lab.aws.call("iam", "ListAccessKeys", UserName="robot")
    assert keys.count("<AccessKeyId>") == 1
    key = lab.saved_attributes("aws_iam_access_key")
    assert key["id"] in keys
    assert key["secret"]
    assert key["secret"] not in done.out + done.err
    assert lab.aws.calls.count("DeleteAccessKey") == 1
    lab.infra("plan", STACK, "--detailed-exitcode", code=0)


def test_a_terraform_that_outlives_its_infra_is_followed(lab: AwsProject, reattach: str) -> None:
    lab = replace(lab, env={**lab.env, "TF_REATTACH_PROVIDERS": reattach})
    lab.bucket.store.insert_object("states", STATE, json.dumps(EMPTY).encode())
    is_followed = threading.Event()
    child = lab.start("apply", STACK, *GO)

    def kill() -> None:
        child.kill()
        is_followed.wait(LIMIT)

    lab.aws.stop("CreateTopic", "during", kill)
    child.wait(LIMIT)
    resume = lab.start("resume", *GO)
    try:
        wait_for(lambda: "Terraform is still at work" in lab.output() or resume.poll() is not None)
    finally:
        is_followed.set()
    assert resume.wait(LIMIT) == 0, lab.output()
    assert "was followed to its end" in lab.output()
    assert_complete(lab)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; the limit is a backstop."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def _attributes(resource: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = resource["instances"][0]["attributes"]
    return attributes


def _is_imported(type_: str, text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip().startswith(f"{type_}.x")]
    return any("it is imported" in line for line in lines)
