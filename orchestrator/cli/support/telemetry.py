"""Telemetry of a command's run: starts it where `OTEL_*` variables say so, and sends it at the end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from orchestrator.cli.app import App
from orchestrator.telemetry.settings import enabled_signals

if TYPE_CHECKING:
    from orchestrator.engine.session import Session
    from orchestrator.repository.model import Project
    from orchestrator.telemetry.recorder import RunRecorder


def start_telemetry(environ: Mapping[str, str], project: Project) -> RunRecorder | None:
    """A recorder for a run; None where telemetry is off, which costs a look at the environment."""
    if not enabled_signals(environ):
        return None
    from orchestrator.masking import Masker
    from orchestrator.telemetry.recorder import RunRecorder
    from orchestrator.telemetry.spans import TraceParent

    masker = Masker(project.config.masking)
    return RunRecorder(masker.mask_text, TraceParent.parse(environ.get("TRACEPARENT", "")))


def send_telemetry(app: App, session: Session, recorder: RunRecorder, error: str) -> None:
    """Send what was noted; `error` is the class of the exception that ended the run. Never raises."""
    from orchestrator import __version__
    from orchestrator.engine.origin import origin_of
    from orchestrator.telemetry.export import export

    context = session.context
    try:
        span = recorder.span(
            context.info,
            origin_of(app.environ),
            app.command,
            partial(_environment_of, context.project),
            error=error,
            is_interrupted=context.supervisor.interrupted,
            repository=app.environ.get("GITHUB_REPOSITORY", ""),
        )
        problem = export(span, recorder.own, recorder.parent, app.environ, __version__)
    except Exception as failure:
        problem = f"Telemetry was not sent: {type(failure).__name__}."
    if problem:
        app.note(problem)


def _environment_of(project: Project, stack: str) -> str:
    """A stack's environment; a deleted one's from its id."""
    return project.stacks[stack].environment if stack in project.stacks else stack.partition("/")[0]
