"""Builds a shadow of a root module: links to its files, some of them replaced, outside the checkout.

Terraform resolves `../../modules/x` and `file("${path.module}/../x")` by path, so the shadow has the
repository's layout: real folders on the way to the root, links beside them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.errors import ProjectError
from orchestrator.repository.lock_file import LOCK_FILE

_MARK = ".infra-shadow"
# What belongs to somebody's own work in the checkout, not to the code.
_PRIVATE = frozenset({".git", ".infra", ".terraform"})
_LEFT_OUT_OF_ROOT = frozenset(
    {*_PRIVATE, LOCK_FILE, "errored.tfstate", "crash.log", ".terraform.tfstate.lock.info"}
)


def make_shadow(
    repo: Path,
    root: Path,
    target: Path,
    overrides: Mapping[str, str],
    *,
    links: Sequence[str] = (),
) -> Path:
    """Make, or bring up to date, the shadow of `root` (relative to `repo`) in `target`; returns its root.

    `overrides` are files of ours in the root: name → text. The lock file is copied, since Terraform may add
    to it, and left alone while the checkout's does not change. `links` are paths relative to the root that
    are links to the real ones even where nothing is there yet: a local state. What is already right is not
    touched, so that a Terraform which runs there is not disturbed.
    """
    if root.is_absolute() or ".." in root.parts:
        raise ProjectError(f"{root} is not a folder of the repository {repo}.")
    repo = repo.absolute()
    files = _shadow_files(repo, root, overrides, links)
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sync(target, files, frozenset({_MARK}))
    _sync_lock(repo, target, root)
    return target / root


def is_shadow(root: Path) -> bool:
    """True when a root module's folder is in a shadow."""
    return real_root(root) != root


def real_root(root: Path) -> Path:
    """The folder in the checkout that a shadow's root stands for; any other folder is its own."""
    for folder in (root, *root.parents):
        mark = folder / _MARK
        if mark.is_file():
            return Path(mark.read_text("utf-8").partition("\n")[2]) / root.relative_to(folder)
    return root


# A folder is a dictionary; a link is the path that it points to; a file of ours is bytes.
_Tree = dict[str, "_Tree | Path | bytes"]


def _shadow_files(repo: Path, root: Path, overrides: Mapping[str, str], links: Sequence[str]) -> _Tree:
    tree: _Tree = {}
    folder, real = tree, repo
    for part in root.parts:
        folder |= _linked(real, _PRIVATE | {part})
        below: _Tree = {}
        folder[part] = below
        folder, real = below, real / part
    folder |= _linked(real, _LEFT_OUT_OF_ROOT)
    folder |= {name: text.encode() for name, text in overrides.items()}
    for link in links:
        _add_link(tree, repo, PurePosixPath(os.path.normpath(root / link)))
    return tree


def _linked(folder: Path, left_out: frozenset[str]) -> _Tree:
    with os.scandir(folder) as entries:
        return {entry.name: folder / entry.name for entry in entries if entry.name not in left_out}


def _add_link(tree: _Tree, repo: Path, path: PurePosixPath) -> None:
    """A link at `path`, unless a folder on the way is a link itself: then it leads to the real one anyway."""
    folder = tree
    for part in path.parts[:-1]:
        below = folder.get(part)
        if not isinstance(below, dict):
            return
        folder = below
    if path.parts and path.parts[0] != "..":
        folder[path.name] = repo / path


def _sync(target: Path, tree: _Tree, keep: frozenset[str] = frozenset()) -> None:
    with os.scandir(target) as entries:
        dir_entries = {entry.name: entry for entry in entries}
    for name in dir_entries.keys() - tree.keys() - keep:
        if not _is_terraforms_own(dir_entries[name]):
            _remove(target / name)
    for name, thing in tree.items():
        path = target / name
        if isinstance(thing, Path):
            _link(path, thing)
        elif isinstance(thing, bytes):
            _write(path, thing)
        else:
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                _remove(path)
            path.mkdir(mode=0o700, exist_ok=True)
            _sync(path, thing)


def _is_terraforms_own(entry: os.DirEntry[str]) -> bool:
    """What Terraform wrote beside the root module's files: the lock file, a local state, an errored one."""
    own = entry.name == LOCK_FILE or ".tfstate" in entry.name
    return own and entry.is_file(follow_symlinks=False)


def _link(path: Path, to: Path) -> None:
    if path.is_symlink() and path.readlink() == to:
        return
    _remove(path)
    path.symlink_to(to)


def _write(path: Path, data: bytes) -> None:
    if not path.is_symlink() and path.is_file() and path.read_bytes() == data:
        return
    _remove(path)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_lock(repo: Path, target: Path, root: Path) -> None:
    """Copy the lock file unless it was copied before: Terraform may have added to the copy."""
    real = repo / root / LOCK_FILE
    data = real.read_bytes() if real.is_file() else b""
    note = f"{hashlib.sha256(data).hexdigest()}\n{repo}".encode()
    mark, copy = target / _MARK, target / root / LOCK_FILE
    if mark.is_file() and mark.read_bytes() == note and (copy.is_file() or not data):
        return
    _remove(copy)
    if data:
        _write(copy, data)
    _write(mark, note)
