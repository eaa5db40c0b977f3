"""The cores and the memory that a run may use, read from control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.process.machine import STACK_KIB, Machine, read_machine
from orchestrator.terraform.environment import child_environment, go_tuning

MIB, GIB = 1024, 1024 * 1024
MEMINFO = "MemTotal:  16777216 kB\nMemFree: 1 kB\nMemAvailable:  8388608 kB\n"
V2 = "sys/fs/cgroup"


def machine_of(root: Path, files: dict[str, str]) -> Machine:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return read_machine(root)


@pytest.mark.parametrize(
    ("files", "memory", "free"),
    [
        ({}, None, None),
        ({"proc/meminfo": MEMINFO}, 16 * GIB, 8 * GIB),
        ({"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n"}, 16 * GIB, 8 * GIB),
        # Version 2, in a container: its group is the mount.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/\n",
                f"{V2}/memory.max": f"{2 * GIB * 1024}\n",
                f"{V2}/memory.current": f"{1536 * MIB * 1024}\n",
                f"{V2}/memory.stat": f"anon 5\ninactive_file {512 * MIB * 1024}\n",
            },
            2 * GIB,
            GIB,
        ),
        # The limit of a group above ours.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/pod/job\n",
                f"{V2}/pod/memory.max": f"{4 * GIB * 1024}",
                f"{V2}/pod/job/memory.max": "max\n",
            },
            4 * GIB,
            4 * GIB,
        ),
        # Version 1.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:memory:/docker/x\n0::/\n",
                f"{V2}/memory/memory.limit_in_bytes": f"{3 * GIB * 1024}",
                f"{V2}/memory/memory.usage_in_bytes": f"{GIB * 1024}",
                f"{V2}/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB * 512}\n",
            },
            3 * GIB,
            2 * GIB + GIB // 2,
        ),
        # Version 1 without a limit.
        (
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:memory:/\n",
                f"{V2}/memory/memory.limit_in_bytes": "9223372036854771712",
            },
            16 * GIB,
            8 * GIB,
        ),
        ({"proc/meminfo": "MemTotal: what\n", "proc/self/cgroup": "no colons\n"}, None, None),
    ],
)
def test_the_memory_is_that_of_the_machine_or_of_the_control_group(
    tmp_path: Path, files: dict[str, str], memory: int | None, free: int | None
) -> None:
    machine = machine_of(tmp_path, files)
    assert (machine.memory, machine.free) == (memory, free)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "100000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "20000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/a/b\n", f"{V2}/a/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", f"{V2}/cpu.max": "0 0\n"}, None),
        (
            {
                "proc/self/cgroup": "2:cpu,cpuacct:/docker/x\n",
                f"{V2}/cpu/cpu.cfs_quota_us": "90000",
                f"{V2}/cpu/cpu.cfs_period_us": "100000",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu,cpuacct:/\n",
                f"{V2}/cpu/cpu.cfs_quota_us": "-1",
                f"{V2}/cpu/cpu.cfs_period_us": "100000",
            },
            None,
        ),
    ],
)
def test_the_cores_are_those_of_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    machine = machine_of(tmp_path, files)
    assert (machine.cores, machine.all_cores) == (cores or 6, 6)


@pytest.mark.parametrize(
    ("machine", "width"),
    [
        (Machine(8, 8), 8),
        (Machine(8, 8, memory=64 * GIB), 8),
        (Machine(8, 64, memory=2 * GIB), 4),
        (Machine(8, 8, memory=STACK_KIB // 2), 1),
        # What is free now changes who is admitted, not the width: it would change the variables.
        (Machine(8, 8, memory=64 * GIB, free=1), 8),
    ],
)
def test_as_many_stacks_run_as_there_are_cores_and_memory(machine: Machine, width: int) -> None:
    assert machine.width == width


@pytest.mark.parametrize(
    ("machine", "width", "tuning"),
    [
        (Machine(2, 2, 24 * GIB), 2, {"GOGC": "400", "GOMEMLIMIT": "1GiB"}),
        (Machine(64, 64), 64, {"GOGC": "400", "GOMEMLIMIT": "1GiB", "GOMAXPROCS": "2"}),
        (Machine(64, 64), 8, {"GOGC": "400", "GOMEMLIMIT": "1GiB", "GOMAXPROCS": "8"}),
        (Machine(64, 64), 1, {"GOGC": "400", "GOMEMLIMIT": "1GiB"}),
        # Go counts the machine's cores, whatever the container may use.
        (Machine(4, 64), 1, {"GOGC": "400", "GOMEMLIMIT": "1GiB", "GOMAXPROCS": "4"}),
        (Machine(4, 4, 4 * GIB), 4, {"GOGC": "100", "GOMEMLIMIT": "512MiB", "GOMAXPROCS": "2"}),
        (Machine(2, 2, GIB), 2, {"GOGC": "100", "GOMEMLIMIT": "256MiB"}),
    ],
)
def test_each_terraform_gets_its_share(machine: Machine, width: int, tuning: dict[str, str]) -> None:
    assert go_tuning(machine, width) == tuning
    child = child_environment({}, tuning=tuning)
    assert {name: child[name] for name in tuning} == tuning


def test_what_the_user_sets_for_go_stays() -> None:
    tuning = {"GOGC": "400", "GOMEMLIMIT": "1GiB", "GOMAXPROCS": "2"}
    assert child_environment({"GOMAXPROCS": "7"}, tuning=tuning)["GOMAXPROCS"] == "7"
    child = child_environment({"GOGC": "50"}, tuning=tuning)
    assert (child["GOGC"], "GOMEMLIMIT" in child) == ("50", False)
