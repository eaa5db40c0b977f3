"""Modules in private Git repositories: Git takes settings from the environment, as docs/adopt.md says."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo

pytestmark = pytest.mark.usefixtures("terraform_argv")

TOKEN = f"Basic {base64.b64encode(b'x-access-token:secret').decode()}"


class PrivateRepository(ThreadingHTTPServer):
    """Files of a bare repository by Git's plain protocol, for who sends the token; counts the others."""

    refused = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", 0), _ModuleHandler)


class _ModuleHandler(BaseHTTPRequestHandler):
    server: PrivateRepository

    def do_GET(self) -> None:
        path = self.server.folder / self.path.partition("?")[0].removeprefix("/modules.git/")
        if self.headers["Authorization"] != TOKEN:
            self.server.refused += 1
            self.send_error(401)
        elif path.is_file():
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes())
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateRepository]:
    modules = Repo(tmp_path / "modules", {"net/main.tf": 'output "x" {\n  value = "private"\n}\n'})
    modules.git("update-server-info")
    server = PrivateRepository(modules.root / ".git")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_git_gets_its_credential_from_the_environment(make_repo: MakeRepo, server: PrivateRepository) -> None:
    address = f"http://127.0.0.1:{server.server_port}/modules.git"
    code = (
        f'module "net" {{\n  source = "git::{address}//net"\n}}\noutput "x" {{\n  value = module.net.x\n}}\n'
    )
    root = make_repo({"infra/envs/dev/a/main.tf": code}).root
    closed = {"GIT_TERMINAL_PROMPT": "0", "GITHUB_ACTIONS": "true"}
    assert Infra(root, closed)("plan", "dev/a", "--json", code=1).results == {"dev/a": "failed"}
    assert server.refused

    header = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{address}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {TOKEN}",
    }
    ran = Infra(root, {**closed, **header})("plan", "dev/a", "--json", code=0)
    assert ran.results == {"dev/a": "changed"}
