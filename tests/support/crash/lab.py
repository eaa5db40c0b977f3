"""A project of several stacks, a cloud before its change, and rounds in which the change is interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.provider.server import reattach_config
from orchestrator.sandbox.sentinel import Sentinel
from orchestrator.sandbox.world.faults import ProviderFault as WorldFault
from orchestrator.sandbox.world.faults import ProviderFaults
from tests.support.crash.watched import (
    BUCKET,
    TYPES,
    CloudStep,
    Effects,
    Trigger,
    WatchedBucket,
    WatchedProviders,
)
from tests.support.repo import Repo
from tests.support.warm import Forked

# Who dies: `term`, `int` and `hup` are signals to infra that it handles, the others are SIGKILL.
Target = Literal["infra", "terraform", "both", "term", "int", "hup"]
HANDLED: Mapping[Target, int] = {"term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}
LIMIT = 120.0
YES = ("--auto-approve", "--allow-destroy", "--confirm", "dev")

CONFIG = """
version: 1
backend:
  gcs: {bucket: states}
environments:
  dev: {timeouts: {unlock: 3s}}
"""

HEAD = """
terraform {
  backend "gcs" {}
  required_providers {
    google = {
      source = "hashicorp/google"
    }
  }
}
provider "google" {
  project = "lab"
  region  = "europe-west1"
}
"""

NETWORK = """
resource "google_compute_network" "n" {
  name                    = "net"
  auto_create_subnetworks = false
}
output "name" {
  value = google_compute_network.n.name
}
"""

SUBNET = """
resource "google_compute_subnetwork" "s" {
  name          = "sub"
  network       = google_compute_network.n.id
  ip_cidr_range = "10.0.0.0/24"
}
"""

READS = """
data "terraform_remote_state" "net" {
  backend = "gcs"
  config = {
    bucket = "states"
    prefix = "dev/state/net"
  }
}
"""


def topic(name: str, after: str = "", label: str = "one") -> str:
    """A topic; `after` is the topic that must be there first, so that the steps come in one order."""
    waits = f"  depends_on = [google_pubsub_topic.{after}]\n" if after else ""
    return (
        f'resource "google_pubsub_topic" "{name}" {{\n  name = "{name}"\n'
        f'  labels = {{ label = "{label}" }}\n{waits}}}\n'
    )


FIRST = {
    "infra.yaml": CONFIG,
    "infra/envs/dev/net/main.tf": HEAD + NETWORK,
    "infra/envs/dev/app/main.tf": HEAD + READS + topic("kept") + topic("gone"),
    "infra/envs/dev/jobs/main.tf": HEAD + topic("job"),
}
# A create beside what stands; creates, an update and a delete; a create after an update.
CHANGED = {
    "infra/envs/dev/net/main.tf": HEAD + NETWORK + SUBNET,
    "infra/envs/dev/app/main.tf": HEAD
    + READS
    + topic("kept", label="two")
    + topic("third", "kept")
    + topic("fourth", "third"),
    "infra/envs/dev/jobs/main.tf": HEAD + topic("job", label="two") + topic("nightly", "job"),
}
STACKS = ("dev/app", "dev/jobs", "dev/net")
WORLD = {
    "google_compute_network/projects/lab/global/networks/net",
    "google_compute_subnetwork/projects/lab/regions/europe-west1/subnetworks/sub",
    *(f"google_pubsub_topic/projects/lab/topics/{n}" for n in ("kept", "third", "fourth", "job", "nightly")),
}


@dataclass(frozen=True)
class FinishedInfra:
    """A finished `infra`."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        """The `--json` document."""
        try:
            document: dict[str, Any] = json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"exit {self.code}, no JSON:\n{self.out}\n{self.err}") from error
        return document


@dataclass
class Round:
    """One apply on a cloud of its own, and what comes after."""

    root: Path
    bucket: WatchedBucket
    world: Path
    trigger: Trigger
    effects: Effects
    env: Mapping[str, str]
    children: list[Forked] = field(default_factory=list)

    def start(self, *argv: str) -> Forked:
        """Start `infra ARGV`."""
        child = Forked(argv, self.root, self.env)
        self.children.append(child)
        return child

    def infra(self, *argv: str) -> FinishedInfra:
        """Run `infra ARGV` to its end."""
        return finished(self.start(*argv))

    def states(self) -> dict[str, dict[str, Any]]:
        """The states in the bucket, by stack id."""
        return {
            f"dev/{name.split('/')[2]}": json.loads(self.bucket.store.read_object(BUCKET, name)[1])
            for name in self.objects("dev/state/")
            if name.endswith(".tfstate")
        }

    def objects(self, prefix: str) -> dict[str, str]:
        """The generation of each object below a prefix, by name."""
        listed = self.bucket.store.list_objects(BUCKET).items
        return {
            resource["name"]: resource["generation"]
            for resource in listed
            if resource["name"].startswith(prefix)
        }

    def locks(self) -> list[str]:
        """The state locks that are held."""
        return [name for name in self.objects("dev/state/") if name.endswith(".tflock")]

    def entries(self) -> dict[str, dict[str, Any]]:
        """The ledger's entries, by stack id."""
        names = self.objects("dev/ledger/stacks/")
        documents = [json.loads(self.bucket.store.read_object(BUCKET, name)[1]) for name in names]
        return {document["stack"]: document for document in documents}

    def exists(self) -> set[str]:
        """What exists in the world's folder, as `TYPE/ID`."""
        paths = self.world.glob("*/*/*.json")
        return {f"{path.parent.name}/{json.loads(path.read_bytes())['id']}" for path in paths}

    def known(self) -> set[str]:
        """What the states say exists, as `TYPE/ID`."""
        return {
            f"{resource['type']}/{instance['attributes']['id']}"
            for state in self.states().values()
            for resource in state["resources"]
            if resource["mode"] == "managed"
            for instance in resource["instances"]
        }

    def delete_ledger(self) -> None:
        """Delete the entries, records and journals of the ledger, as somebody may by hand."""
        for name in self.objects("dev/ledger/"):
            self.bucket.store.delete_object(BUCKET, name)

    def refuse_import(self, target: str) -> ProviderFaults:
        """Let the provider refuse to import `TYPE/ID`, until the faults are cleared."""
        faults = ProviderFaults(self.world / "faults.json")
        faults.add(WorldFault(target, "import", "The service does not answer."))
        return faults

    def terraforms(self) -> list[int]:
        """The Terraforms of this round that run."""
        return [pid for pid, command, where in processes() if where.startswith(str(self.root))]


class CrashLab:
    """One project with the cloud as it is before its change; rounds are played one after the other."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.folder = folder
        self._sentinel = Sentinel()
        self._providers = WatchedProviders(folder / "worlds")
        self._providers.start()
        self._providers.serve_types("hashicorp/google", TYPES)
        self._number = 0
        self.repo = Repo(folder / "repo", {".gitignore": ".infra/\n", **FIRST, "infra.yaml": config})
        self._base()

    def close(self) -> None:
        """End the providers."""
        self._providers.close()
        self._sentinel.close()

    def _base(self) -> None:
        with self.round() as first:
            first.bucket.store.create_bucket(
                "p",
                {
                    "name": BUCKET,
                    "versioning": {"enabled": True},
                    "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
                },
            )
            done = first.infra("apply", "--all", *YES)
            assert done.code == 0, done.out + done.err
            shutil.copytree(first.world, self.folder / "base/world")
            shutil.copytree(self.folder / "gcs/1", self.folder / "base/gcs")
        self.repo.commit(CHANGED, "The change")

    @contextmanager
    def round(
        self,
        at: CloudStep | None = None,
        target: Target = "both",
        *,
        slow: float | Callable[[], object] = 0.0,
        faults: Sequence[HttpFault] = (),
        act: Callable[[Round], None] | None = None,
        skew: float = 0.0,
    ) -> Iterator[Round]:
        """A cloud as it was before the change. At the step `at` of what is started first, `target` dies.

        `slow` is how long each change takes from then on, in seconds, or what each waits for. With `faults`
        nobody dies, but the bucket has them from then on; with `act` that is done instead. The bucket's clock
        is `skew` seconds ahead of this machine's.
        """
        self._number += 1
        name = str(self._number)
        if (self.folder / "base").exists():
            shutil.copytree(self.folder / "base/world", self.folder / "worlds" / name)
            shutil.copytree(self.folder / "base/gcs", self.folder / "gcs" / name)
            shutil.rmtree(self.repo.root / ".infra/runs", ignore_errors=True)
        kills = not faults and act is None
        trigger, effects = Trigger(at, cuts=kills and target in ("terraform", "both")), Effects()
        wait = slow if callable(slow) else partial(time.sleep, slow)
        ports = self._providers.watch(name, trigger, effects, lambda: wait() if trigger.struck else None)
        bucket = WatchedBucket(
            self.folder / "gcs" / name, trigger, lambda: datetime.now(UTC) + timedelta(seconds=skew)
        )
        with bucket:
            env = {
                **os.environ,
                "XDG_STATE_HOME": str(self.folder / "home" / name),
                "STORAGE_EMULATOR_HOST": bucket.url,
                "TF_REATTACH_PROVIDERS": reattach_config(ports, self._sentinel.pid),
                "INFRA_SANDBOX": "test",
            }
            new_round = Round(self.repo.root, bucket, self.folder / "worlds" / name, trigger, effects, env)
            if act is not None:
                trigger.act = partial(act, new_round)
            else:
                trigger.act = partial(_break, bucket, faults) if faults else partial(kill, new_round, target)
            try:
                yield new_round
            finally:
                trigger.disarm()
                put_down(new_round)


def _break(bucket: WatchedBucket, faults: Sequence[HttpFault]) -> None:
    for fault in faults:
        bucket.faults.add(fault)


def kill(round_: Round, target: Target) -> None:
    """Kill what is to die; what was started last is `infra`."""
    infra = round_.children[-1]
    if target in HANDLED:
        infra.send_signal(HANDLED[target])
    elif target in ("infra", "both"):
        infra.kill()
        infra.wait(LIMIT)
    if target in ("terraform", "both"):
        # After infra, which could start another one; and gone when this returns: a blow takes a moment.
        dying = [pid for pid in round_.terraforms() if pid != infra.pid]
        for pid in dying:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + LIMIT
        while set(dying) & set(round_.terraforms()) and time.monotonic() < end:
            time.sleep(0.01)


def put_down(round_: Round) -> None:
    """End what still runs of a round."""
    for child in round_.children:
        if child.poll() is None:
            child.kill()
        child.wait(LIMIT)
        child.close()
    for pid in round_.terraforms():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def finished(child: Forked) -> FinishedInfra:
    """What came of an `infra` that was started."""
    began = time.monotonic()
    out, err = child.communicate(timeout=LIMIT)
    return FinishedInfra(child.wait(), out, err, time.monotonic() - began)


def processes() -> list[tuple[int, str, str]]:
    """(pid, command line, working directory) of the Terraforms of this machine that can be seen."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            embedded = any(word.endswith(b"/embedded_main.py") for word in words[:5])
            if embedded or b"terraform" in words[0].rsplit(b"/", 1)[-1]:
                line = b" ".join(words).decode(errors="replace")
                pids.append((int(path.name), line, str((path / "cwd").readlink())))
        except OSError:
            continue
    return pids
