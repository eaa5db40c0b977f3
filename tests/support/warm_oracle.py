"""Random stacks planned with providers that stay running and with providers of their own: the same plans.

What happens to the providers between and during plans belongs to it: they are killed, die at work, are
recycled, and their host is stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.process import Supervisor
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.client import Client, PlanOptions, Workdir
from orchestrator.terraform.warm import provider as provider_module
from orchestrator.terraform.warm.packages import h1_checksum
from orchestrator.terraform.warm.providers import HostOptions, WarmProviders
from orchestrator.terraform.warm.shared import host_statuses, stop_hosts
from tests.support import plugin_provider

EVENTS = ("nothing", "killed", "dies at work", "recycled", "host stopped", "host killed")
WORDS = ("alpha", "", "ünïcode", "two\nlines", 'qu"ote', "${not}", "x" * 300, "main", "null", "0")


def thing_stack(rng: random.Random) -> tuple[str, str]:
    """Code with several provider blocks, and a state that it differs from."""
    aliases = ["", *(f"alias{number}" for number in range(rng.randint(0, 3)))]
    code = ['terraform {\n required_providers {\n  thing = { source = "example.com/test/thing" }\n }\n}']
    for alias in aliases:
        line = f"  alias = {_quote(alias)}\n" if alias else ""
        code.append(
            f'provider "thing" {{\n{line}  project = {_quote(f"project-{alias}-{rng.randint(0, 2)}")}\n}}'
        )
    resources: list[dict[str, Any]] = []
    for number in range(rng.randint(1, 6)):
        kind = rng.choice(("thing_item", "thing_other"))
        alias, name = rng.choice(aliases), f"r{number}"
        arguments = [f"  provider = thing.{alias}"] if alias else []
        word = rng.choice(WORDS)
        reference = f"{resources[-1]['type']}.r{number - 1}" if resources and rng.random() < 0.3 else ""
        is_reference = bool(reference) and resources[-1]["single"]
        arguments.append(f"  name = {reference + '.project' if is_reference else _quote(word)}")
        if rng.random() < 0.5:
            arguments.append(f"  secret = {_quote(f'hunter2-{rng.randint(0, 3)}')}")
        repeat = rng.choice(("", "", "  count = 2", '  for_each = toset(["a", "b c"])'))
        arguments += [repeat] if repeat else []
        if rng.random() < 0.2:
            arguments.append("  lifecycle {\n    ignore_changes = [name]\n  }")
        code.append(f'resource "{kind}" "{name}" {{\n' + "\n".join(arguments) + "\n}")
        resources.append({"type": kind, "name": name, "alias": alias, "word": word, "single": not repeat})
    first = resources[0]
    value = f"jsonencode({first['type']}.{first['name']})"
    code.append(f'output "o" {{\n  value = {value}\n  sensitive = true\n}}')
    in_state = [resource for resource in resources if resource["single"] and rng.random() < 0.6]
    if rng.random() < 0.4:
        in_state.append({"type": "thing_item", "name": "gone", "alias": "", "word": "old", "single": True})
    if in_state and rng.random() < 0.4:
        source = in_state[-1]
        if source["name"] != "gone":
            in_state[-1] = source | {"name": "former"}
            code.append(
                f"moved {{\n  from = {source['type']}.former\n  to = {source['type']}.{source['name']}\n}}"
            )
    return "\n".join(code) + "\n", json.dumps(_state(rng, in_state))


def aws_stack(rng: random.Random) -> tuple[str, str]:
    """Code for the real AWS provider that plans without a cloud; there is no state."""
    aliases = ["", *(f"alias{number}" for number in range(rng.randint(0, 2)))]
    code = ['terraform {\n required_providers {\n  aws = { source = "hashicorp/aws" }\n }\n}']
    for alias in aliases:
        line = f"  alias = {_quote(alias)}\n" if alias else ""
        region = rng.choice(("eu-central-1", "us-east-1", "ap-south-1"))
        code.append(_AWS_PROVIDER % (line, region, f"key-{alias}"))
        of = f"  provider = aws.{alias}\n" if alias else ""
        name = alias or "main"
        code.append(f'data "aws_region" "{name}" {{\n{of}}}')
        code.append(
            f'resource "aws_sqs_queue" "{name}" {{\n{of}  name = "${{data.aws_region.{name}.name}}-jobs"\n'
            f"  visibility_timeout_seconds = {rng.randint(1, 90)}\n}}"
        )
        if rng.random() < 0.6:
            code.append(
                f'data "aws_iam_policy_document" "{name}" {{\n{of}  statement {{\n    actions = ["sqs:*"]\n'
                f"    resources = [aws_sqs_queue.{name}.arn]\n  }}\n}}"
            )
        if rng.random() < 0.6:
            code.append(
                f'resource "aws_cloudwatch_log_group" "{name}" {{\n{of}  count = {rng.randint(0, 2)}\n'
                f'  name = "logs-${{count.index}}"\n  retention_in_days = {rng.choice((1, 7, 30))}\n}}'
            )
    return "\n".join(code) + "\n", ""


_AWS_PROVIDER = """\
provider "aws" {
%s  region                      = "%s"
  access_key                  = "%s"
  secret_key                  = "hunter2"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}"""


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _state(rng: random.Random, resources: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": 4,
        "terraform_version": "1.5.0",
        "serial": 1,
        "lineage": "0b0b0b0b-0000-0000-0000-000000000000",
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": resource["type"],
                "name": resource["name"],
                "provider": f'provider["{plugin_provider.SOURCE}"]'
                + (f".{resource['alias']}" if resource["alias"] else ""),
                "instances": [
                    {
                        "schema_version": 0,
                        "attributes": {
                            "name": rng.choice((resource["word"], "before")),
                            "secret": rng.choice((None, "hunter2-1")),
                            "project": rng.choice(("project--0", "project--1", "elsewhere")),
                        },
                    }
                ],
            }
            for resource in resources
        ],
    }


@dataclass(frozen=True)
class MirroredPackage:
    """A provider in a mirror: its source address, version, and the folder of its package."""

    source: str
    version: str
    folder: Path

    def lock_file(self) -> str:
        """A lock file with this provider alone."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        checksum = h1_checksum(self.folder, files)
        return f'provider "{self.source}" {{\n  version = "{self.version}"\n  hashes = ["{checksum}"]\n}}\n'


@dataclass
class Oracle:
    """Plans each stack of one provider both ways, with one initialised TF_DATA_DIR for all of them."""

    binary: Binary
    folder: Path
    env: Mapping[str, str]
    # A short path: that of a socket may have a hundred characters.
    runtime: Path
    package: MirroredPackage
    # A file that makes the provider die at its next plan.
    crash: Path | None = None
    reports: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("data", "run", "cache"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._lock_file = self.package.lock_file()
        self._count = 0
        cache = self.folder / "cache"
        self.host = HostOptions(self.runtime / "infra", 600.0)
        self.cold = Client(self.binary, Supervisor(), cache)
        self.warm = self._warm_client(None)

    def _warm_client(self, host: HostOptions | None) -> Client:
        cache = self.folder / "cache"
        return Client(self.binary, Supervisor(), cache, WarmProviders(cache, self.reports.append, host))

    def close(self) -> None:
        """End every provider."""
        self.warm.close()
        stop_hosts(self.host.folder)

    def play(self, code: str, state: str, event: str, *, hosted: bool) -> str:
        """What is wrong with a stack's warm plan, empty when nothing is.

        It has to be the cold one. Only a provider that dies at work, and a type that is in the state alone,
        may cost another plan.
        """
        self._count += 1
        # A folder of its own: a stack whose plan fell back is never attached again.
        root = self.folder / f"stack-{self._count}"
        root.mkdir()
        (root / LOCK_FILE).write_text(self._lock_file)
        (root / "main.tf").write_text(code)
        if state:
            (root / "terraform.tfstate").write_text(state)
        work = Workdir(root, self.folder / "data", self.folder / "run", self.env)
        cold = self._plan(self.cold, work)
        self.reports.clear()
        # A run of its own for each stack shows whether the host keeps what the one before has used.
        client = self._warm_client(self.host) if hosted else self.warm
        with contextlib.closing(client) if hosted else contextlib.nullcontext():
            if hosted:
                # So that the run has seen the host before something happens to it.
                client.init(work, "oracle", {})
                client.validate(work)
            with self._disturbed(event):
                warm = self._plan(client, work)
        what = f"{event}, hosted {hosted}\n{code}\n{state}\n"
        if cold != warm:
            return f"{what}{json.dumps(cold, indent=1)}\n{json.dumps(warm, indent=1)}"
        is_fallback = any("of its own" in each and "was not expected" not in each for each in self.reports)
        if is_fallback != (event == "dies at work" and self.crash is not None):
            return f"{what}{self.reports}"
        return ""

    def _plan(self, client: Client, work: Workdir) -> dict[str, Any]:
        client.init(work, "oracle", {})
        outcome = client.plan(work, PlanOptions())
        document: dict[str, Any] = json.loads(client.show_json(work, outcome.plan_file))
        document.pop("timestamp")
        # A set, which Terraform writes in any order.
        document.get("relevant_attributes", []).sort(key=json.dumps)
        return document

    @contextlib.contextmanager
    def _disturbed(self, event: str) -> Iterator[None]:
        """What happens to the providers before or during a plan."""
        oldest = provider_module.OLDEST
        pids = [provider["pid"] for host in host_statuses(self.host.folder) for provider in host["providers"]]
        if event == "killed":
            _kill(pids)
        elif event == "host killed":
            _kill([host["pid"] for host in host_statuses(self.host.folder)])
        elif event == "host stopped":
            stop_hosts(self.host.folder)
        elif event == "recycled":
            provider_module.OLDEST = -1.0
        elif event == "dies at work" and self.crash is not None:
            self.crash.touch()
        try:
            yield
        finally:
            provider_module.OLDEST = oldest
            if self.crash is not None:
                self.crash.unlink(missing_ok=True)


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def play_stacks(
    oracle: Oracle, make: Callable[[random.Random], tuple[str, str]], seed: int, numbers: Iterable[int]
) -> list[str]:
    """Random stacks, each with the event of its number; gives what is wrong."""
    problems = []
    for number in numbers:
        code, state = make(random.Random(seed * 10_000 + number))
        event = EVENTS[number % len(EVENTS)]
        problem = oracle.play(code, state, event, hosted=bool(number // len(EVENTS) % 2))
        problems += [f"seed {seed}, stack {number}: {problem}"] if problem else []
    return problems


@contextlib.contextmanager
def thing_oracle(binary: Binary, folder: Path, env: Mapping[str, str]) -> Iterator[Oracle]:
    """The oracle with the provider in Python."""
    mirror = folder / "mirror"
    package = MirroredPackage(
        plugin_provider.SOURCE, plugin_provider.VERSION, plugin_provider.install(mirror)
    )
    settings = plugin_provider.cli_configuration(mirror, folder / "terraformrc")
    with _oracle(binary, folder, env, settings, package, mirror / plugin_provider.CRASH) as oracle:
        yield oracle


@contextlib.contextmanager
def aws_oracle(
    binary: Binary, folder: Path, env: Mapping[str, str], program: Path, settings: Path
) -> Iterator[Oracle]:
    """The oracle with the real AWS provider: its program in the mirror that the CLI configuration names."""
    package = MirroredPackage("registry.terraform.io/hashicorp/aws", program.parents[1].name, program.parent)
    with _oracle(binary, folder, env, settings, package, None) as oracle:
        yield oracle


@contextlib.contextmanager
def _oracle(
    binary: Binary,
    folder: Path,
    env: Mapping[str, str],
    settings: Path,
    package: MirroredPackage,
    crash: Path | None,
) -> Iterator[Oracle]:
    with tempfile.TemporaryDirectory() as runtime:
        variables = {**env, "TF_CLI_CONFIG_FILE": str(settings)}
        oracle = Oracle(binary, folder, variables, Path(runtime), package, crash)
        with contextlib.closing(oracle):
            yield oracle
