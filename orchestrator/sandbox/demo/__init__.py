"""The demo: a real change, from a branch to production, on a sandbox of its own."""

from orchestrator.sandbox.demo.stage import Narrator, Stage
from orchestrator.sandbox.demo.story import play

__all__ = ["Narrator", "Stage", "play"]
