"""The last chapter: an environment is destroyed, and the portal shows all that was done."""

from __future__ import annotations

from pathlib import Path

from orchestrator.sandbox.demo.estate import NETWORK, SERVICE
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import Stage

# Where `infra portal serve` has it, too.
PORTAL = ".infra/portal"


def destroy(stage: Stage) -> None:
    """Destroy an environment, dependents first."""
    stage.infra("destroy", "dev", "--auto-approve", "--allow-destroy")
    stage.check(not stage.world(SERVICE, "example-dev"), "dev's service is gone")
    stage.check(not stage.world(NETWORK, "example-dev"), "dev's network is gone")
    remaining = len(stage.world(SERVICE))
    stage.check(remaining == len(ENVIRONMENTS) - 1, "staging and prod were not touched")


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
        SceneStep("Destroy dev", "In reverse order: the service before the network that it uses.", destroy),
        SceneStep("The portal", "Static pages of everything above, for a browser.", build_portal),
    ),
)
