"""Which repository, token and address an environment names, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.errors import UsageError
from orchestrator.forge.github import check_address, open_github
from orchestrator.forge.interface import Forge

WHOLE = {"GITHUB_REPOSITORY": "acme/infra", "GITHUB_TOKEN": "t"}


def test_it_opens_without_a_request() -> None:
    with open_github(WHOLE) as github:
        host: Forge = github
        assert host.repository == "acme/infra"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "GITHUB_REPOSITORY is not set"),
        ({**WHOLE, "GITHUB_REPOSITORY": "infra"}, "GITHUB_REPOSITORY is 'infra'"),
        ({**WHOLE, "GITHUB_REPOSITORY": "a/b/c"}, "'a/b/c'"),
        ({"GITHUB_REPOSITORY": "acme/infra"}, "no token"),
        ({**WHOLE, "GITHUB_TOKEN": " "}, "no token"),
        ({**WHOLE, "GITHUB_API_URL": "ftp://x"}, "'ftp://x'"),
        ({**WHOLE, "GITHUB_API_URL": "api.github.example"}, "'api.github.example'"),
        ({**WHOLE, "GITHUB_API_URL": "http://github.example/api/v3"}, "in clear"),
        ({**WHOLE, "INFRA_SANDBOX": "here"}, "The sandbox is attached"),
        ({**WHOLE, "INFRA_SANDBOX": "here", "GITHUB_API_URL": "https://127.0.0.1.evil.example"}, "sandbox"),
        ({**WHOLE, "INFRA_SANDBOX": "here", "GITHUB_API_URL": "http://127.0.0.1@evil.example"}, "sandbox"),
    ],
)
def test_what_makes_no_sense_is_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        open_github(environ)
    assert caught.value.advice


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"])
def test_loopback_is_fine_with_the_sandbox_and_in_clear(address: str) -> None:
    check_address(address, sandbox=True)
    check_address(address, sandbox=False)


def test_the_room_is_quick_to_import() -> None:
    code = (
        "import sys, orchestrator.forge.github, orchestrator.forge.interface; print('github' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
