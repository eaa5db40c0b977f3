"""What one run knows of the past: the states of the project's stacks and their ledgers."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.project.model import Project


@dataclass(frozen=True)
class Memory:
    """The states and the ledgers of a project's stacks, wherever they are stored."""

    project: Project
    states: States
    ledgers: Ledgers
