"""The remote memory of a run: states and ledgers."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.repository.model import Project


@dataclass(frozen=True)
class Memory:
    """The states and the ledgers of a project's stacks, wherever they are stored."""

    project: Project
    states: States
    ledgers: Ledgers
