"""The remote memory of a run: states and ledgers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.states import States
from orchestrator.repository.earlier_code import EarlierCode
from orchestrator.repository.model import Project


@dataclass(frozen=True)
class Memory:
    """The states and the ledgers of a project's stacks, wherever they are stored."""

    project: Project
    states: States
    ledgers: Ledgers

    @cached_property
    def earlier(self) -> EarlierCode:
        """The same project as earlier commits had it."""
        return EarlierCode(self.project)
