"""sandbox.json, whether it is stale, and the environment that attaches a command."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import SandboxError, UsageError
from orchestrator.process import started_at
from orchestrator.sandbox import attach


@pytest.fixture
def info(tmp_path: Path) -> attach.Info:
    """A sandbox that is this very process."""
    return attach.Info(
        folder=tmp_path,
        pid=os.getpid(),
        started=started_at(os.getpid()) or "",
        control=1001,
        token="secret-token",
        gcs=1002,
        accounts={"dev:plan": 1003, "dev:apply": 1004},
        reattach='{"registry.terraform.io/hashicorp/google":{"Pid":1}}',
    )


def test_what_is_written_is_read(info: attach.Info) -> None:
    attach.write(info)

    assert attach.read(info.folder) == info
    assert attach.running(info.folder) == info


def test_only_its_owner_may_read_it(info: attach.Info) -> None:
    attach.write(info)

    assert (info.folder / "sandbox.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in info.folder.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize("change", [{"started": "another time"}, {"pid": 2**22 + 1}])
def test_a_stale_file_counts_for_nothing(info: attach.Info, change: dict[str, object]) -> None:
    attach.write(replace(info, **change))  # type: ignore[arg-type]

    assert attach.read(info.folder) is not None
    assert attach.running(info.folder) is None
    with pytest.raises(SandboxError) as told:
        attach.require(info.folder)
    assert "infra sandbox up" in told.value.advice


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2}', '{"version": 1, "pid": "x"}'])
def test_a_broken_file_counts_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "sandbox.json").write_text(text)

    assert attach.running(tmp_path) is None


def test_a_command_is_attached_as_the_owner(info: attach.Info) -> None:
    environment = attach.environment(info, {"PATH": "/bin"})

    assert environment["PATH"] == "/bin"
    assert environment["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:1002"
    assert environment["INFRA_SANDBOX"] == str(info.folder)
    assert json.loads(environment["TF_REATTACH_PROVIDERS"]) == json.loads(info.reattach)
    assert "secret-token" not in environment.values()


def test_an_account_is_a_port(info: attach.Info) -> None:
    environment = attach.environment(info, {}, "dev:apply")

    assert environment["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:1004"


def test_an_unknown_account_is_refused_with_those_there_are(info: attach.Info) -> None:
    with pytest.raises(UsageError) as told:
        attach.environment(info, {}, "prod:plan")

    assert "dev:apply, dev:plan" in told.value.advice


def test_no_proxy_is_asked_for_loopback(info: attach.Info) -> None:
    environment = attach.environment(info, {"NO_PROXY": "intranet,localhost"})

    assert environment["NO_PROXY"] == "intranet,localhost,127.0.0.1"
    assert environment["no_proxy"] == "127.0.0.1,localhost"
