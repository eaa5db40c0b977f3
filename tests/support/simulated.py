"""Terraform attached to a simulated provider: one server for many tests, a world and a folder for each."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.world import World

HEAD = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
  }
}

provider "google" {
  project = "demo-dev"
  region  = "europe-west1"
}
"""


_TO_INIT = re.compile(r'^\s*(?:backend|module) "', re.MULTILINE)


@dataclass(frozen=True)
class FinishedTerraform:
    """A finished Terraform."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class SimulatedRoot:
    """A folder of Terraform, run against a world of its own."""

    folder: Path
    argv: tuple[str, ...]
    world: World
    environment: Mapping[str, str]
    _initialised: list[str] = field(default_factory=list)

    def write(self, body: str, *, head: str = HEAD, name: str = "main.tf") -> None:
        """Replace the configuration."""
        (self.folder / name).write_text(head + body)

    def run(self, *arguments: str, code: int | None = 0) -> FinishedTerraform:
        """Run a command; its exit code must be `code`, unless that is None.

        Attached providers are not installed: there is something to `init` only with a backend or modules.
        """
        if not self._initialised and arguments[0] != "init" and self._has_backend_or_modules():
            self._initialised.append("init")
            self.run("init")
        child = subprocess.run(
            [*self.argv, *arguments, "-no-color"] if arguments[0] != "show" else [*self.argv, *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        done = FinishedTerraform(child.returncode, child.stdout, child.stderr)
        assert code is None or done.code == code, f"{arguments}: {done.code}\n{done.out}\n{done.err}"
        return done

    def _has_backend_or_modules(self) -> bool:
        return any(_TO_INIT.search(path.read_text()) for path in self.folder.glob("*.tf"))

    def apply(self, *arguments: str, code: int | None = 0) -> FinishedTerraform:
        """Apply without asking."""
        return self.run("apply", "-auto-approve", "-input=false", *arguments, code=code)

    def plan(self, *arguments: str, code: int | None = None) -> tuple[int, dict[str, Any]]:
        """A saved plan's exit code and its JSON."""
        done = self.run("plan", "-detailed-exitcode", "-input=false", "-out=p", *arguments, code=None)
        assert done.code in ((0, 2) if code is None else (code,)), f"{done.code}\n{done.out}\n{done.err}"
        return done.code, json.loads(self.run("show", "-json", "p").out)

    def values(self) -> dict[str, dict[str, Any]]:
        """The attributes in the state, by address."""
        document = json.loads(self.run("show", "-json").out)
        resources = document.get("values", {}).get("root_module", {}).get("resources", [])
        return {each["address"]: each["values"] for each in resources}


def attached(
    server: ProviderServer, name: str, folder: Path, argv: tuple[str, ...], sentinel: int, **extra: str
) -> SimulatedRoot:
    """A stack in `folder` whose providers work on the server's world `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("TF_")},
        "TF_REATTACH_PROVIDERS": reattach_config(server.open(name), sentinel),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        **extra,
    }
    return SimulatedRoot(folder, argv, server.world(name), environment)


def actions(document: Mapping[str, Any], part: str = "resource_changes") -> dict[str, list[str]]:
    """What a plan does (or, with `resource_drift`, what has drifted), by address, without what stays."""
    return {
        each["address"]: each["change"]["actions"]
        for each in document.get(part, [])
        if each["change"]["actions"] not in (["no-op"], ["read"])
    }
