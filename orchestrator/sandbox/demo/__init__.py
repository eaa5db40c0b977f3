"""The demo: a platform from an empty cloud to production, and its drift checks, on a sandbox of its own."""

from orchestrator.sandbox.demo import drift, ending, platform, self_service, trunk
from orchestrator.sandbox.demo.narrator import Narrator
from orchestrator.sandbox.demo.scene import Chapter, play
from orchestrator.sandbox.demo.stage import Stage

__all__ = ["STORY", "Narrator", "Stage", "play"]

# The chapters of the demo, in order.
STORY: tuple[Chapter, ...] = (
    platform.CHAPTER,
    trunk.CHAPTER,
    drift.CHAPTER,
    self_service.CHAPTER,
    ending.CHAPTER,
)
