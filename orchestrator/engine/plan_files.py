"""Reads saved plans: without Terraform where that is proved to give the same, else with `show -json`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.engine.provider_schemas import ProviderSchemas
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import UnprovenPlanError
from orchestrator.plan.file.document import is_proven, read_plan_file
from orchestrator.plan.plan_json import PlanJson
from orchestrator.terraform.client import Workdir


@dataclass(frozen=True)
class PlanFiles:
    """The plan files of a run. Without `schemas` Terraform reads all of them.

    `count` gets for each file how it was read, in words.
    """

    schemas: ProviderSchemas | None = None
    count: Callable[[str], None] = lambda text: None

    def read(self, terraform: TerraformRunner, work: Workdir, plan_file: Path) -> PlanJson:
        """The plan's JSON. Raises what `Client.show_json` raises."""

        # Rules in Rego of several commits may each want all of it.
        @cache
        def show() -> bytes:
            return terraform.client.show_json(work, plan_file)

        try:
            plan_json = PlanJson(self._parts(terraform, work, plan_file), show)
        except UnprovenPlanError as reason:
            self.count(f"plan files read by `show -json`, since {reason.message}")
            return PlanJson.of(show())
        self.count("plan files read without Terraform")
        return plan_json

    def _parts(self, terraform: TerraformRunner, work: Workdir, plan_file: Path) -> dict[str, object]:
        schemas = self.schemas
        if schemas is None:
            raise UnprovenPlanError("no short cut is taken")
        binary = terraform.client.binary_of(work)
        if binary.flavour != "terraform" or not is_proven(binary.version):
            raise UnprovenPlanError(f"{binary.product} {binary.version} makes them")
        return read_plan_file(plan_file, lambda source: schemas.provider(terraform, work, source))
