"""`.infra/` at the repository's root: the working folders of runs, and their cleanup."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from orchestrator.errors import ProjectError
from orchestrator.process import read_pid_file, write_pid_file
from orchestrator.repository.model import encode_id

NAME = ".infra"
# What must be folders of our own: a committed link would have runs write, and tidy up, elsewhere.
OWN = ("", "cache", "data", "runs", "shadow", "worktrees")
# In a run's folder: whose it is, while that process runs; in a stack's: the Terraform started there.
PID_FILE = "pid.json"
# How long journals are kept.
KEPT_DAYS = 30


@dataclass(frozen=True)
class Folders:
    """The layout of contracts: data/ID, runs/RUN/ID, shadow/ID, cache. Everything 0700, ignored by Git."""

    root: Path

    @property
    def base(self) -> Path:
        """`.infra/` itself."""
        return self.root / NAME

    @property
    def cache(self) -> Path:
        """What may be thrown away at any time: provider packages, the embedded executable, versions."""
        return self.base / "cache"

    def prepare(self) -> None:
        """Make `.infra/`, private and ignored by Git, as often as one likes.

        Raises ProjectError where it, or a folder in it, is a link.
        """
        for path in (self.base / name for name in OWN):
            if path.is_symlink():
                raise ProjectError(
                    f"{path} is a link, which infra does not follow.",
                    advice="Remove the link; infra makes a folder of its own there.",
                )
        try:
            private(self.base)
            ignore = self.base / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            private(self.cache)
        except OSError as error:
            raise ProjectError(
                f"{self.base} cannot be made: {error.strerror}",
                advice="infra keeps its working files there; make the repository's root writable.",
            ) from error

    def data(self, stack: str) -> Path:
        """TF_DATA_DIR of a stack; made by `init`."""
        return private(self.base / "data") / encode_id(stack)

    def shadow(self, stack: str) -> Path:
        """The copy of a stack's root that carries overrides of ours."""
        return private(self.base / "shadow") / encode_id(stack)

    def run(self, run: str, stack: str) -> Path:
        """The folder of one stack in one run, made here."""
        return private(self._runs / run / encode_id(stack))

    def begun(self) -> list[tuple[str, str]]:
        """Run and stack id of each Terraform that changes state and was started below this root."""
        glob = sorted(self._runs.glob(f"*/*/{PID_FILE}")) if self._runs.is_dir() else []
        return [(path.parts[-3], unquote(path.parts[-2])) for path in glob]

    def run_ids(self) -> tuple[str, ...]:
        """The runs whose folders are still here."""
        return tuple(path.name for path in self._runs.iterdir()) if self._runs.is_dir() else ()

    def begin_run(self, run: str, now: float) -> None:
        """Say that this process works in a run's folder, and tidy up after runs that could not.

        `now` is the time in seconds since the epoch.
        """
        write_pid_file(private(self._runs / run) / PID_FILE, os.getpid(), "infra")
        for folder in self._runs.iterdir():
            if folder.name != run:
                self._tidy(folder, now)

    def take_over(self, run: str) -> None:
        """Say that this process goes on with a run whose own process is gone, so that nobody tidies it up."""
        write_pid_file(private(self._runs / run) / PID_FILE, os.getpid(), "infra")

    def _tidy(self, folder: Path, now: float) -> None:
        """Remove what a run left whose process is gone; Terraform may have outlived it and is let be."""
        begun = read_pid_file(folder / PID_FILE)
        with contextlib.suppress(OSError):  # another process may be tidying up too
            old = folder.stat().st_mtime < now - KEPT_DAYS * 86400
            if not (begun or old) or (begun and begun.alive) or _lives_on(folder):
                return
            if old:
                shutil.rmtree(folder)
            else:
                self.forget_plans(folder.name)

    def forget_plans(self, run: str) -> None:
        """Remove the plan files of a run that has ended, and what else of it is of no further use.

        Journals stay, since they say what was made; folders without one go.
        """
        folder = self._runs / run
        for stack in folder.iterdir() if folder.is_dir() else ():
            if not stack.is_dir():
                continue
            (stack / "plan.tfplan").unlink(missing_ok=True)
            if not (stack / "journal.jsonl").exists():
                shutil.rmtree(stack, ignore_errors=True)
        (folder / PID_FILE).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    @property
    def _runs(self) -> Path:
        return self.base / "runs"


def _lives_on(folder: Path) -> bool:
    """Whether a Terraform that was started in a run still works."""
    started = (read_pid_file(path) for path in folder.glob(f"*/{PID_FILE}"))
    return any(recorded_process.alive for recorded_process in started if recorded_process)


def private(folder: Path) -> Path:
    """The folder, made with its parents, open to its owner alone."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
