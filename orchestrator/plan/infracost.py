"""Estimates the monthly cost of a plan with the program infracost.

Its JSON: https://github.com/infracost/infracost/blob/master/schema/infracost.schema.json. What goes wrong is
a cost that is not known, never one of zero.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.errors import BinaryError, ProcessError
from orchestrator.plan.cost import MonthlyCost, unknown_cost
from orchestrator.process import Command, Supervisor

PROGRAM = "infracost"
# The key for the prices, and the address of prices of one's own.
API_KEY = "INFRACOST_API_KEY"
PRICES = "INFRACOST_PRICING_API_ENDPOINT"
# The variables that it gets beside those that any program needs.
VARIABLES = "INFRACOST_"
SECONDS = 90.0
# It asks no other host than that of the prices, and reads no settings from a folder.
SETTINGS = {"INFRACOST_SKIP_UPDATE_CHECK": "true", "INFRACOST_DISABLE_ENVFILE": "true"}
ARGUMENTS = ("breakdown", "--path", "plan.json", "--format", "json", "--no-color", "--log-level", "error")
_LONGEST = 300
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MOST_OUTPUT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Infracost:
    """Runs infracost on plans, with `env` as its whole environment; safe from many threads."""

    supervisor: Supervisor
    env: Mapping[str, str] = field(repr=False)

    def estimate(self, show_json: bytes, folder: Path) -> MonthlyCost:
        """The cost of a plan, from the JSON of `terraform show`.

        `folder` is a private one, in which the plan lies while the program runs. The problem of an unknown
        cost may quote the plan and the environment.
        """
        program = shutil.which(PROGRAM, path=self.env.get("PATH", ""))
        if program is None:
            return unknown_cost(f"there is no program {PROGRAM} on PATH")
        with TemporaryDirectory(prefix="cost-", dir=folder) as name:
            work = Path(name)
            (work / "plan.json").touch(mode=0o600)
            (work / "plan.json").write_bytes(show_json)
            command = Command(
                (program, *ARGUMENTS),
                cwd=work,
                env=self.env,
                deadline=SECONDS,
                title=f"{PROGRAM} on a plan",
                most_output=_MOST_OUTPUT,
            )
            try:
                completed = self.supervisor.run(command)
            except (BinaryError, ProcessError) as error:
                return unknown_cost(error.message)
        if completed.ended == "deadline":
            return unknown_cost(f"{PROGRAM} did not answer in {SECONDS:g} s")
        if not completed.ok:
            reason = _error_line(completed.error_text) or f"exit code {completed.returncode}"
            return unknown_cost(f"{PROGRAM} failed: {reason}")
        return read_estimate(completed.stdout)


def read_estimate(output: bytes) -> MonthlyCost:
    """The cost from infracost's JSON; not known where a price, or a part of the estimate, is missing."""
    try:
        document = json.loads(output)
        problem = next(_problems(document), "")
        if problem:
            return unknown_cost(problem)
        difference = Decimal(str(document["diffTotalMonthlyCost"]))
        cost = MonthlyCost(
            float(round(difference, 2)),
            str(document["currency"]),
            int((document.get("summary") or {}).get("totalUnsupportedResources") or 0),
        )
    except (ValueError, LookupError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return unknown_cost(f"{PROGRAM} printed no estimate that can be read")
    return cost if cost.is_valid else unknown_cost(f"{PROGRAM} printed no amount of money")


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    """Why an estimate is none: errors of infracost, and prices that it did not find."""
    for project in document["projects"]:
        for error in (project.get("metadata") or {}).get("errors") or ():
            if error.get("isError") is False:
                continue
            yield f"{PROGRAM} failed: {_error_line(str(error.get('message') or '')) or 'it gives no reason'}"
        for resource in (project.get("diff") or {}).get("resources") or ():
            for component in _components(resource):
                if component.get("priceNotFound"):
                    yield f"there is no price for {str(resource.get('name'))[:_LONGEST]}"


def _components(resource: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from resource.get("costComponents") or ()
    for part in resource.get("subresources") or ():
        yield from _components(part)


def _error_line(text: str) -> str:
    """The line of a message that begins with `Error`, else its last one; without colours."""
    lines = [line for part in _COLOUR.sub("", text).splitlines() if (line := part.strip())]
    errors = [line for line in lines if line.startswith("Error")]
    return (errors or lines[-1:] or [""])[0][:_LONGEST]
