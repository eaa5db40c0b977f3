"""`infra portal` on a real repository with a real state."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from orchestrator.portal.folder import PortalFolder
from orchestrator.portal.server import PortalServer
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema

MAIN = """\
terraform {
  backend "local" {}
}
variable "db_password" {
  default = "hunter2"
}
resource "terraform_data" "x" {
  input = var.db_password
}
"""


def test_a_real_estate_becomes_pages(make_repo: MakeRepo, tmp_path: Path) -> None:
    files = {
        "infra.yaml": "environments: {dev: {protected: false}, prod: {}}\n",
        "infra/envs/dev/net/main.tf": MAIN,
        "infra/envs/prod/net/main.tf": MAIN.replace("hunter2", "hunter3"),
    }
    infra, site = Infra(make_repo(files).root, {}), tmp_path / "site"
    infra("apply", "dev/net", "--auto-approve", code=0)
    document = infra("portal", "build", "--out", str(site), "--json", code=0).document
    check_schema(document, "portal")
    texts = {path.name: path.read_text() for path in site.rglob("*.html")}
    assert document["pages"] == len(texts) == 7 + 2 + 1
    assert "dev--net.html" in texts["matrix.html"]
    assert "db_password" in texts["parity.html"]
    assert not [name for name, text in texts.items() if "hunter" in text]
    again = infra("portal", "build", "--out", str(site), "--json", code=0).document
    assert again["written"] <= 2
    check_schema(infra("portal", "build", "--out", ".", "--json", code=3).document, "portal")
    # Nothing is made where there is no repository.
    Infra(tmp_path, {})("portal", "build", "--out", "none")
    assert not (tmp_path / "none").exists()


def test_only_pages_are_served_and_only_here(tmp_path: Path) -> None:
    folder = PortalFolder.open(tmp_path / "site")
    folder.write("index.html", b"<p>here</p>")
    folder.finish()
    (tmp_path / "site" / "secret").write_text("x")
    with PortalServer(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with urllib.request.urlopen(server.url) as answer:  # noqa: S310
                assert answer.read() == b"<p>here</p>"
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            for path in ("secret", ".infra-portal.json", "../secret", "%2e%2e/secret", "nothing"):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    urllib.request.urlopen(server.url + path)  # noqa: S310
            request = urllib.request.Request(server.url, headers={"Host": "evil.example:80"})  # noqa: S310
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(request)  # noqa: S310
        finally:
            server.close()
            thread.join()
