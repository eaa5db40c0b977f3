"""The last chapter: an environment goes."""

from __future__ import annotations

from orchestrator.sandbox.demo.estate import NETWORK, SERVICE
from orchestrator.sandbox.demo.repository import ENVIRONMENTS
from orchestrator.sandbox.demo.scene import Chapter, Step
from orchestrator.sandbox.demo.stage import Stage


def destroy(stage: Stage) -> None:
    """An environment goes, what reads first."""
    stage.infra("destroy", "dev", "--auto-approve", "--allow-destroy")
    stage.check(not stage.world(SERVICE, "example-dev"), "dev's service is gone")
    stage.check(not stage.world(NETWORK, "example-dev"), "dev's network is gone")
    left = len(stage.world(SERVICE))
    stage.check(left == len(ENVIRONMENTS) - 1, "staging and prod were not touched")


CHAPTER = Chapter(
    "The end",
    (Step("Destroy dev", "In reverse order: the service goes before the network it stands on.", destroy),),
)
