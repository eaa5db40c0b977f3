"""Where `make test` has its temporary folders: in memory, where the machine has a file system for that.

The tests make and delete some hundred thousand small files. On a disk most of the time of that is waiting.
`python -m tests.support.memory_folder` prints the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

# Linux has a file system in memory here. In a container it may be small, or start no programs.
SHARED_MEMORY = Path("/dev/shm")
# Bytes. All tests at once were seen to use less than a tenth of it.
REQUIRED_FREE = 2 * 1024**3


def temporary_folder(
    env: Mapping[str, str], memory: Path = SHARED_MEMORY, required: int = REQUIRED_FREE
) -> str:
    """The path for TMPDIR: what `env` has already, else `memory` where it suits, else the default."""
    if env.get("TMPDIR"):
        return env["TMPDIR"]
    return str(memory) if _is_suitable(memory, required) else tempfile.gettempdir()


def _is_suitable(folder: Path, required: int) -> bool:
    """Whether `required` bytes are free in a folder, and a program in it can be started."""
    try:
        if shutil.disk_usage(folder).free < required:
            return False
        with tempfile.TemporaryDirectory(dir=folder) as probe:
            program = Path(probe, "program")
            program.write_text("#!/bin/sh\n")
            program.chmod(0o700)
            return subprocess.run([program], check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.stdout.write(temporary_folder(os.environ))
