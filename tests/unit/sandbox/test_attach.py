"""sandbox.json, whether it is stale, and the environment that attaches a command."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import SandboxError, UsageError
from orchestrator.process import started_at
from orchestrator.sandbox import attach, control


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


def test_threads_of_a_server_write_it_at_once(info: attach.Info) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(attach.write, [info] * 400):
            assert attach.read(info.folder) == info
    assert [path.name for path in info.folder.iterdir()] == ["sandbox.json"]


def test_only_its_owner_may_read_it(info: attach.Info) -> None:
    attach.write(info)

    assert (info.folder / "sandbox.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in info.folder.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize("change", [{"started": "another time"}, {"pid": 2**22 + 1}])
def test_a_stale_file_counts_for_nothing(info: attach.Info, change: dict[str, object]) -> None:
    attach.write(replace(info, **change))  # type: ignore[arg-type]

    assert attach.read(info.folder) is not None
    assert attach.running(info.folder) is None
    with pytest.raises(SandboxError) as error:
        attach.require(info.folder)
    assert "infra sandbox up" in error.value.advice


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
    with pytest.raises(UsageError) as error:
        attach.environment(info, {}, "prod:plan")

    assert "dev:apply, dev:plan" in error.value.advice


def test_no_proxy_is_used_for_loopback(info: attach.Info) -> None:
    environment = attach.environment(info, {"NO_PROXY": "intranet,localhost"})

    assert environment["NO_PROXY"] == "intranet,localhost,127.0.0.1"
    assert environment["no_proxy"] == "127.0.0.1,localhost"


def test_a_command_finds_the_sandbox_s_github(info: attach.Info) -> None:
    github_info = replace(info, github=1005, github_token="ghs_ours", repository="acme/shop")

    environment = attach.environment(github_info, {})

    assert environment["GITHUB_API_URL"] == environment["GITHUB_SERVER_URL"] == "http://127.0.0.1:1005"
    assert (environment["GITHUB_TOKEN"], environment["GITHUB_REPOSITORY"]) == ("ghs_ours", "acme/shop")


def test_a_real_github_and_its_tokens_are_left_behind(info: attach.Info) -> None:
    github_info = replace(info, github=1005, github_token="ghs_ours", repository="acme/shop")
    real = {
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_TOKEN": "ghs_real",
        "INFRA_GITHUB_TOKEN": "ghp_real",
        "GH_TOKEN": "ghp_real",
        "GITHUB_REPOSITORY": "acme/real",
    }

    environment = attach.environment(github_info, real)

    assert not {"ghs_real", "ghp_real", "acme/real"} & set(environment.values())
    assert environment["GITHUB_API_URL"] == "http://127.0.0.1:1005"


def test_a_github_on_this_machine_stays_running(info: attach.Info) -> None:
    github_info = replace(info, github=1005, github_token="ghs_ours", repository="acme/shop")
    own = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_TOKEN": "mine"}

    environment = attach.environment(github_info, own)

    assert {name: environment[name] for name in own} == own
    assert environment["GITHUB_REPOSITORY"] == "acme/shop"


def test_a_sandbox_of_an_older_version_has_no_github(info: attach.Info) -> None:
    attach.write(info)
    path = info.folder / "sandbox.json"
    document = json.loads(path.read_text())
    for name in ("github", "github_token", "repository"):
        del document[name]
    path.write_text(json.dumps(document))

    require = attach.require(info.folder)

    assert require.github == 0
    assert attach.environment(require, {"GITHUB_TOKEN": "x"})["GITHUB_TOKEN"] == "x"
    with pytest.raises(SandboxError, match="has no GitHub"):
        control.call_github(require, "status")
