"""The health checks of an environment, which run after an apply and before the next promotion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HttpCheck:
    """An address that must answer: with `status`, and with a body that holds `contains` (empty: any).

    `timeout` is what one request may take, in seconds; after a wrong answer it is asked again `retries`
    times, `every` seconds apart.
    """

    name: str
    url: str
    status: int = 200
    contains: str = ""
    timeout: float = 10.0
    retries: int = 5
    every: float = 10.0


@dataclass(frozen=True)
class CommandCheck:
    """A program that must exit with 0 within `timeout` seconds; it runs at the repository's root."""

    name: str
    command: tuple[str, ...]
    timeout: float = 300.0


@dataclass(frozen=True)
class TerraformCheck:
    """Terraform's own `check` blocks in what was applied must pass."""

    name: str = "Terraform's check blocks"


Check = HttpCheck | CommandCheck | TerraformCheck
