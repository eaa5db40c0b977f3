"""The demo: a platform from an empty cloud to production, and through its nights, on a sandbox of its own."""

from orchestrator.sandbox.demo.narrator import Narrator
from orchestrator.sandbox.demo.scene import play
from orchestrator.sandbox.demo.stage import Stage
from orchestrator.sandbox.demo.story import STORY

__all__ = ["STORY", "Narrator", "Stage", "play"]
