"""Shares provider packages between all stacks without races.

Terraform's own plugin cache must not be written by two `init`s at once. So each `init` gets a cache of its
own, filled with links to the shared packages. What it adds there is moved to the shared folder by a rename,
which the first one wins, and the stack's links are set to the shared packages. A shared package is never
written to. So that many cold `init`s do not each fetch the same, the first with a new set of providers goes
alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform.locking import file_lock

# HOST/NAMESPACE/TYPE/VERSION/OS_ARCH
_DEPTH = 5
_LOCKED = re.compile(r'^provider\s+"([^"]+)"|^\s*version\s*=\s*"([^"]+)"', re.MULTILINE)
_SOURCES = re.compile(r'^\s*(?:source|version)\s*=\s*"([^"]+)"', re.MULTILINE)
_TYPES = re.compile(r'^\s*(?:resource|data|ephemeral)\s+"([a-z0-9-]+)_', re.MULTILINE)


@contextmanager
def private_cache(
    shared: Path, data_dir: Path, root: Path, interrupted: Callable[[], bool]
) -> Iterator[Path]:
    """A plugin cache for one `init` of `root` into `data_dir`; afterwards its packages are in `shared`.

    Waits while another `init` fetches the same set of providers for the first time.
    """
    signature = provider_signature(root)
    warm = shared / f".warm-{signature}"
    shared.mkdir(mode=0o700, parents=True, exist_ok=True)
    if signature and not warm.exists():
        with file_lock(shared / f".lock-{signature}", interrupted):
            if not warm.exists():
                with _overlay(shared, data_dir) as cache:
                    yield cache
                warm.touch()
                return
    with _overlay(shared, data_dir) as cache:
        yield cache


def provider_signature(root: Path) -> str:
    """A name for the set of providers that a root asks for; empty when it seems to need none.

    It only decides who waits for whom: two sets of one name, or one set of two, cost time and nothing else.
    """
    lock = root / LOCK_FILE
    if lock.is_file():
        words = ["".join(pair) for pair in _LOCKED.findall(lock.read_text("utf-8", "replace"))]
    else:
        texts = [path.read_text("utf-8", "replace") for path in sorted(root.glob("*.tf")) if path.is_file()]
        words = sorted({word for text in texts for word in _SOURCES.findall(text) + _TYPES.findall(text)})
        words = [word for word in words if word != "terraform"]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16] if words else ""


def installed_packages(data_dir: Path) -> list[Path]:
    """The packages in a stack's data folder, mostly links."""
    return list(_leaves(data_dir / "providers"))


@contextmanager
def _overlay(shared: Path, data_dir: Path) -> Iterator[Path]:
    overlay = Path(tempfile.mkdtemp(prefix=".init-", dir=shared))
    try:
        for package in _leaves(shared):
            if package.exists():
                link = overlay / package.relative_to(shared)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(package)
        yield overlay
        for package in _leaves(overlay):
            _share(package, shared / package.relative_to(overlay), shared)
    finally:
        # Also after a failure: no link of the stack's may lead to what is about to go.
        _repoint(data_dir, overlay, shared)
        shutil.rmtree(overlay, ignore_errors=True)


def _leaves(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        path = folder / name
        if depth == 1:
            yield path
        else:
            yield from _leaves(path, depth - 1)


def _share(package: Path, to: Path, shared: Path) -> None:
    """Put a package that `init` added into the shared folder, unless there is one already."""
    link = package.readlink() if package.is_symlink() else None
    if link is not None and link.is_relative_to(shared):
        return
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if to.is_symlink() and not to.exists():
        to.unlink(missing_ok=True)
    try:
        if link is not None:  # a package in a local mirror, which Terraform links to
            to.symlink_to(link)
        else:
            package.rename(to)
    except OSError:
        if not to.exists():
            raise


def _repoint(data_dir: Path, overlay: Path, shared: Path) -> None:
    """Lead the stack's links past the private cache to the shared packages."""
    for package in installed_packages(data_dir):
        if package.is_symlink() and package.readlink().is_relative_to(overlay):
            to = shared / package.readlink().relative_to(overlay)
            package.unlink()
            if to.exists():
                package.symlink_to(to)
