"""Processes forked from one that has everything imported: they are like those that a user starts."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only for Linux")

if sys.platform == "linux":
    from orchestrator.cli.support import prefork_client
    from tests.support import warm

# Seconds: a backstop for what never ends.
LIMIT = 60.0
# It says that there is nothing yet, and looks again much later.
WATCH = ("status", "--watch", "--interval", "600")


@pytest.fixture
def client(tmp_path: Path) -> str:
    """The path of an `infra` that is forked."""
    return str(warm.programs(tmp_path / "programs") / "infra")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose status can be watched."""
    root = tmp_path / "project"
    stack = root / "infra/envs/dev/app"
    stack.mkdir(parents=True)
    (stack / "main.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(root)], check=True)
    return root


def test_the_client_does_as_infra_does(client: str, project: Path) -> None:
    env = {**os.environ, "NO_SUCH": "set"}
    done = subprocess.run([client, "lst"], cwd=project, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "infra list" in done.stderr
    listed = subprocess.run(
        [client, "list", "--json"], cwd=project, env=env, capture_output=True, text=True, check=True
    )
    assert f'"root": "{project}"' in listed.stdout


def test_the_client_forwards_signals(client: str, project: Path) -> None:
    with subprocess.Popen([client, *WATCH], cwd=project, stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        try:
            watch.communicate(timeout=LIMIT)
        finally:
            watch.kill()
    assert watch.returncode == 0


def test_a_client_that_is_killed_takes_infra_with_it(project: Path) -> None:
    reader, writer = os.pipe()
    connection = prefork_client.request(
        str(warm.server()), WATCH, str(project), os.environ, (reader, writer, writer)
    )
    pid = prefork_client.receive(connection)
    os.close(writer)
    assert os.read(reader, 1)
    process = os.pidfd_open(pid)

    connection.close()

    ended, _, _ = select.select([process], [], [], LIMIT)
    os.close(process)
    os.close(reader)
    assert ended
