"""The child that Terraform may kill in our place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from orchestrator.process import started_at
from orchestrator.sandbox.sentinel import Sentinel

HOLD_ONE = """
import time
from orchestrator.sandbox.sentinel import Sentinel
print(Sentinel().pid, flush=True)
time.sleep(60)
"""


def test_it_lives_until_it_is_closed() -> None:
    sentinel = Sentinel()
    assert started_at(sentinel.pid) is not None
    assert not sentinel.has_ended()

    sentinel.close()

    assert started_at(sentinel.pid) is None


def test_its_death_is_noticed() -> None:
    sentinel = Sentinel()

    os.kill(sentinel.pid, signal.SIGKILL)

    wait_until_gone(sentinel.pid)
    assert sentinel.has_ended()
    sentinel.close()


def test_it_ends_with_us_even_when_we_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD_ONE], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        assert started_at(pid) is not None

        holder.kill()
        holder.wait()

        wait_until_gone(pid)


def test_python_reads_where_there_is_no_cat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "defpath", "/nonexistent")

    sentinel = Sentinel()
    assert not sentinel.has_ended()
    os.close(sentinel._writer)

    wait_until_gone(sentinel.pid)
    sentinel._writer = os.open(os.devnull, os.O_RDONLY)
    sentinel.close()


def wait_until_gone(pid: int) -> None:
    """The process ends within some seconds."""
    end = time.monotonic() + 10
    while started_at(pid) is not None:
        assert time.monotonic() < end, f"{pid} still lives"
        time.sleep(0.01)
