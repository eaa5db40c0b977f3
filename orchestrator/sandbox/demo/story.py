"""What the demo shows, from beginning to end."""

from __future__ import annotations

from orchestrator.sandbox.demo import ending, night, platform, trunk
from orchestrator.sandbox.demo.scene import Chapter

STORY: tuple[Chapter, ...] = (platform.CHAPTER, trunk.CHAPTER, night.CHAPTER, ending.CHAPTER)
