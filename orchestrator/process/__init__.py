"""The one way to run a program: supervised, in a session of its own, by an argv list and never a shell."""

from orchestrator.process.background import BackgroundProgram, BackgroundPrograms, start_detached
from orchestrator.process.command import Command, Completed, OnLine, OnStart, Stream
from orchestrator.process.identity import RecordedProcess, is_alive, read_pid_file, started_at, write_pid_file
from orchestrator.process.supervisor import Supervisor

__all__ = [
    "BackgroundProgram",
    "BackgroundPrograms",
    "Command",
    "Completed",
    "OnLine",
    "OnStart",
    "RecordedProcess",
    "Stream",
    "Supervisor",
    "is_alive",
    "read_pid_file",
    "start_detached",
    "started_at",
    "write_pid_file",
]
