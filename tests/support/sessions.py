"""A run without Terraform on a project whose bucket is in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from orchestrator.engine.context import RunContext
from orchestrator.engine.folders import Folders
from orchestrator.engine.ledgers import Ledgers
from orchestrator.engine.memory import Memory
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session
from orchestrator.engine.states import States
from orchestrator.masking import Masker
from orchestrator.process import Supervisor
from orchestrator.report.model import RunInfo
from orchestrator.repository.model import Project
from tests.support.memory_storage import MemoryStorage


def session_in_memory(
    project: Project, bucket: MemoryStorage, environ: Mapping[str, str] | None = None
) -> Session:
    """The session of run R1; every bucket that the project names is `bucket`."""
    environ = environ or {"HOME": str(project.root)}
    states = States(project, environ, lambda name, _: cast(Any, bucket))
    context = RunContext(
        project=project,
        info=RunInfo("R1", "local", project.commit or "", "2026-11-30T12:00:00Z", 0.0),
        environ=environ,
        folders=Folders(project.root),
        masker=Masker(),
        progress=SilentProgress(),
        supervisor=Supervisor(),
        workers=1,
    )
    return Session(context, cast(Any, None), Memory(project, states, Ledgers(project, states, environ)))
