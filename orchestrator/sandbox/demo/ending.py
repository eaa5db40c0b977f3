"""The last chapter: an environment is destroyed, and the portal shows all that was done."""

from __future__ import annotations

from pathlib import Path

from orchestrator.sandbox.demo.estate import NETWORK, SERVICE
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.self_service import NAME
from orchestrator.sandbox.demo.stage import Stage

# Where `infra portal serve` has it, too.
PORTAL = ".infra/portal"


def destroy(stage: Stage) -> None:
    """Destroy the first stacks of an environment, dependents first; the shop is protected from deletion."""
    stage.infra("destroy", "dev/network", "dev/service", "--auto-approve", "--allow-destroy")
    remaining_in_dev = stage.world(SERVICE, "example-dev")
    stage.check(all(NAME in service for service in remaining_in_dev), "dev's first service is gone")
    stage.check(not stage.world(NETWORK, "example-dev"), "dev's network is gone")
    elsewhere = len(stage.world(SERVICE)) - len(remaining_in_dev)
    stage.check(elsewhere == 2 * (len(ENVIRONMENTS) - 1), "staging and prod were not touched")


def build_portal(stage: Stage) -> None:
    """Build the pages of what the demo did."""
    stage.infra("portal", "build", "--out", PORTAL)
    pages = stage.repository / PORTAL
    stage.check(
        "destroyed" in _page(pages, "stacks/dev--service.html"), "dev's service is shown as destroyed"
    )
    stage.check("arrived" in _page(pages, "pull-requests.html"), "a pull request has arrived")


def _page(pages: Path, name: str) -> str:
    path = pages / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


CHAPTER = Chapter(
    "The end",
    (
        SceneStep("Destroy", "In reverse order: the service before the network that it uses.", destroy),
        SceneStep("The portal", "Static pages of everything above, for a browser.", build_portal),
    ),
)
