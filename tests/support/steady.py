"""A folder at the same path in each test of a process, so that `terraform init` is due once for many tests.

infra leaves out an `init` whose inputs are those of the last one, and the path of the root is one of them. A
quarter of the Terraform that these tests started was `init`, of stacks that differ in nothing but that path.
Nor is the program asked for its version in each of them.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.process import Supervisor
from orchestrator.terraform.binary import find_binary

_DATA = Path(".infra/data")
# Where infra remembers the versions of programs.
_VERSIONS = Path(".infra/cache/binary-versions.json")


@contextmanager
def steady_folder() -> Iterator[Path]:
    """An empty folder at the path; at the end only what `init` made in repositories in it is set aside."""
    folder = _base() / "test"
    folder.mkdir()
    try:
        yield folder
    finally:
        for data in folder.glob(f"*/{_DATA}"):
            aside = _aside(data.parents[1])
            shutil.rmtree(aside, ignore_errors=True)
            data.rename(aside)
        shutil.rmtree(folder)
        # The memory of projects with local states knows them by their paths.
        shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)


def restore_init(root: Path) -> None:
    """Bring back what `init` made in a repository at this path; nothing for one that is elsewhere."""
    if root.parent == _base() / "test" and _aside(root).exists():
        shutil.rmtree(root / _DATA, ignore_errors=True)
        _make_infra_folder(root)
        _aside(root).rename(root / _DATA)
    restore_versions(root)


def restore_versions(root: Path) -> None:
    """Let a repository know the version of the program on PATH: asking takes most of a short command."""
    if not (root / _VERSIONS).exists():
        _make_infra_folder(root)
        (root / _VERSIONS).parent.mkdir(mode=0o700, exist_ok=True)
        (root / _VERSIONS).write_bytes(_versions())


def _make_infra_folder(root: Path) -> None:
    (root / ".infra").mkdir(mode=0o700, exist_ok=True)
    (root / ".infra/.gitignore").write_text("*\n")


def _aside(root: Path) -> Path:
    return _base() / f"init-{root.name}"


@functools.cache
def _versions() -> bytes:
    find_binary(None, os.environ, Supervisor(), _base())
    return (_base() / _VERSIONS.name).read_bytes()


@functools.cache
def _base() -> Path:
    path = Path(tempfile.mkdtemp(prefix="infra-tests-")).resolve()
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
