"""The world: what exists in the simulated cloud, as a folder of JSON files that people may edit."""

from orchestrator.sandbox.world.objects import WorldObject
from orchestrator.sandbox.world.world import World

__all__ = ["World", "WorldObject"]
