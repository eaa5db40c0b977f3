"""The last chapter: an environment is destroyed."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import NETWORK, SERVICE
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, SceneStep
from orchestrator.sandbox.demo.stage import Stage


def destroy(stage: Stage) -> None:
    """Destroy an environment, dependents first."""
    stage.infra("destroy", "dev", "--auto-approve", "--allow-destroy")
    stage.check(not stage.world(SERVICE, "example-dev"), "dev's service is gone")
    stage.check(not stage.world(NETWORK, "example-dev"), "dev's network is gone")
    remaining = len(stage.world(SERVICE))
    stage.check(remaining == len(ENVIRONMENTS) - 1, "staging and prod were not touched")


CHAPTER = Chapter(
    "The end",
    (SceneStep("Destroy dev", "In reverse order: the service before the network that it uses.", destroy),),
)
