"""`infra sandbox rehearse` in a clone with an origin of its own: a change through every environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeRepo

pytest.importorskip("grpc")

CODE = 'terraform {{\n  backend "gcs" {{\n    bucket = "st-a"\n    prefix = "{}/state/net"\n  }}\n}}\n'
RESOURCE = 'resource "terraform_data" "x" {\n  input = "v1"\n}\n'


def test_a_change_goes_through_every_environment(make_repo: MakeRepo, tmp_path: Path) -> None:
    files = {f"infra/envs/{name}/net/main.tf": CODE.format(name) + RESOURCE for name in ("dev", "prod")}
    repo = make_repo(files)
    repo.git("remote", "add", "origin", str(tmp_path / "elsewhere.git"))
    for path in files:
        repo.write({path: files[path].replace("v1", "v2")})
    before = repo.git("status", "--porcelain"), repo.git("for-each-ref")
    pages = tmp_path / "pages"
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", "sandbox", "rehearse", "--pages", str(pages)],
        cwd=repo.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "merged and applied in dev, prod" in done.stdout
    assert (repo.git("status", "--porcelain"), repo.git("for-each-ref")) == before
    texts = {path.name: path.read_text() for path in pages.iterdir()}
    assert "Merged" in texts["pull-1.html"]
    runs = "".join(text for name, text in texts.items() if name.startswith("run-"))
    assert "prod is done: 1 stack applied" in runs
    assert "$ infra ci apply prod" in runs
