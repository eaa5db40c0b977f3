"""What the machine, or the container that we run in, lets a run use: cores and memory.

Containers are limited by control groups. Both versions are read: `cpu.max` and `memory.max`, or
`cpu.cfs_quota_us` and `memory.limit_in_bytes`. A limit of a group above ours counts as well.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

KIB = 1024
# What one stack is expected to need where nothing is known of it: Terraform and a small provider.
STACK_KIB = 512 * KIB


@dataclass(frozen=True)
class Machine:
    """The limits of this machine. Memory is in KiB, None where the system does not tell.

    `cores` may be used by us, `all_cores` is what a program sees that knows nothing of control groups.
    `memory` is all of it and stays the same between runs; `free` is what is left now.
    """

    cores: int
    all_cores: int
    memory: int | None = None
    free: int | None = None

    @property
    def width(self) -> int:
        """How many stacks run at once by default: one for each core, fewer where memory is scarce."""
        by_memory = self.cores if self.memory is None else self.memory // STACK_KIB
        return max(1, min(self.cores, by_memory))


def read_machine(root: Path = Path("/")) -> Machine:
    """Read the limits; `root` is the folder with `proc` and `sys`. What cannot be read is no limit."""
    seen = _seen_cores()
    quotas: list[float] = []
    limits: list[int] = []
    rooms: list[int] = []
    for folder in _groups(root, "cpu"):
        quota = _quota(folder)
        quotas += [quota] if quota else []
    total, available = _host_memory(root)
    for folder in _groups(root, "memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        # Without a limit version 1 has a number that no machine has.
        if limit and (total is None or limit // KIB < total):
            limits.append(limit // KIB)
            rooms.append(max(0, limit - _used(folder)) // KIB)
    limits += [total] if total is not None else []
    rooms += [available] if available is not None else []
    return Machine(
        cores=max(1, min([seen, *map(math.ceil, quotas)])),
        all_cores=seen,
        memory=min(limits, default=None),
        free=min(rooms, default=None),
    )


def _seen_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of our control group and those above it, of both versions."""
    mount = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text("utf-8", "replace").splitlines():
            _, names, path = (*line.split(":", 2), "", "")[:3]
            if names and controller not in names.split(","):
                continue
            # A container may see the path that its group has outside; then the mount is its group.
            below = mount / controller if names else mount
            folder = below / path.strip("/")
            while folder.is_relative_to(below):
                yield folder
                folder = folder.parent


def _quota(folder: Path) -> float | None:
    """How many cores a group may use; None without a limit."""
    quota, period = ([*_words(folder / "cpu.max"), "", ""])[:2]
    if not quota:
        quota = " ".join(_words(folder / "cpu.cfs_quota_us"))
        period = " ".join(_words(folder / "cpu.cfs_period_us"))
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _used(folder: Path) -> int:
    """Bytes that a group uses, without the file cache that the system gives back when asked."""
    used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
    words = _words(folder / "memory.stat")
    statistics = dict(zip(words[::2], words[1::2], strict=False))
    cache = statistics.get("total_inactive_file") or statistics.get("inactive_file") or "0"
    return max(0, used - int(cache)) if cache.isdecimal() else used


def _host_memory(root: Path) -> tuple[int | None, int | None]:
    """All memory and what is available, in KiB."""
    words = _words(root / "proc/meminfo")
    sizes = {name: size for name, size in pairwise(words) if name.endswith(":")}
    total, available = (sizes.get(name, "") for name in ("MemTotal:", "MemAvailable:"))
    return (int(total) if total.isdecimal() else None, int(available) if available.isdecimal() else None)


def _number(path: Path) -> int | None:
    word = " ".join(_words(path))
    return int(word) if word.isdecimal() else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").split()
    except OSError:
        return []
