"""Moves a state that Terraform could not save to a private folder; never overwrites one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import StateError
from orchestrator.terraform.model import Workdir

ERRORED = "errored.tfstate"


def require_no_errored_state(root: Path) -> None:
    """Raise StateError when an earlier apply left a state behind: another apply would write over it."""
    path = root / ERRORED
    if path.exists():
        raise StateError(
            f"{path} is the state of an earlier apply that could not be saved.",
            advice="If the state in the backend is older, `terraform state push errored.tfstate`. "
            "Then remove the file. Applying again first would make its resources a second time.",
        )


def rescue_errored_state(work: Workdir, root: Path) -> Path | None:
    """Move the state that an apply in `root` could not save to safety (0600); None when there is none."""
    path = root / ERRORED
    if not path.is_file():
        return None
    folder = rescue_folder(work.env) / work.run_dir.parent.name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    saved = folder / work.run_dir.name
    number = 1
    while saved.exists():
        number += 1
        saved = folder / f"{work.run_dir.name}.{number}"
    draft = folder / f".{saved.name}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with path.open("rb") as source, os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(saved)
    path.unlink()
    return saved


def rescue_folder(env: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/infra/rescue`, by default below `~/.local/state`."""
    home = Path(env.get("HOME") or Path.home())
    return Path(env.get("XDG_STATE_HOME") or home / ".local" / "state") / "infra" / "rescue"
