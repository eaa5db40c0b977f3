"""The repository that workflows are written for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.config.model import Install
from orchestrator.repository.modules import Product

PortalHost = Literal["gcs", "pages", "artifact"]


@dataclass(frozen=True)
class WorkflowTarget:
    """Whom the workflows are for: `OWNER/NAME`, its trunk, and its environments in promotion order.

    `shards` is how many jobs apply an environment side by side, `drift_shards` how many check it for drift.
    `install` is how the jobs get Terraform, `product` and `version` which one by its setup action (an empty
    version is the newest). `submodules` and `lfs` say what a checkout fetches besides. With `rehearse`
    pull requests of forks are rehearsed without credentials, with `sarif` findings go to code scanning, with
    `self_service` a form in a developer portal can start `infra new`.
    `job_variables` are the names of secrets and variables that Terraform and hooks of an environment get;
    with `reports` there is a job for report hooks. `notify_variables` are the names of secrets that the jobs
    get which send messages. With `estimates_cost` the jobs that plan get infracost, with
    `sends_telemetry` those that run Terraform what sends it. `portal` is where the pages of `infra portal`
    go, None for nowhere.
    """

    repository: str
    trunk: str
    environments: Sequence[str]
    shards: int = 1
    drift_shards: int = 1
    install: Install = "embedded"
    product: Product = "terraform"
    version: str = ""
    submodules: bool = False
    lfs: bool = False
    rehearse: bool = False
    sarif: bool = False
    self_service: bool = False
    job_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reports: bool = False
    notify_variables: tuple[str, ...] = ()
    estimates_cost: bool = False
    sends_telemetry: bool = False
    portal: PortalHost | None = None
