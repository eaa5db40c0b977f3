"""The shipped templates with their sample answers: formatted, valid, accepted by the guard, and planned."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.repo import Repo
from tests.support.warm import run_warm

pytest.importorskip("copier")
pytest.importorskip("grpc")

TEMPLATES = Path(__file__).parents[2] / "orchestrator/catalog/templates"
# What each stack is made of: a template, and answers beside its sample.
STACKS = {
    "queue": ("stack", {}),
    "shop": ("service", {}),
    "web": ("service", {"deployed_by": "terraform", "image": "europe-docker.pkg.dev/example/apps/web:1.4.0"}),
    "train": ("pipeline", {}),
    "plain": ("service", {"alert_email": "", "budget": "0", "deployer": ""}),
}


@pytest.fixture
def environ(tmp_path: Path, terraform_argv: tuple[str, ...]) -> dict[str, str]:
    path = f"{Path(terraform_argv[0]).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


@pytest.fixture
def repo(tmp_path: Path, environ: dict[str, str]) -> Iterator[Repo]:
    repo = Repo(
        tmp_path / "repo",
        {
            "infra.yaml": "backend: {gcs: {bucket: catalog-states}}\nenvironments: {dev: {}}\n",
            "infra/envs/dev/README.md": "The stacks of dev.\n",
        },
    )
    yield repo
    run_warm(["sandbox", "down"], repo.root, environ)


def test_shipped_templates_are_valid_and_can_be_planned(repo: Repo, environ: dict[str, str]) -> None:
    def infra(*words: str) -> str:
        ran = run_warm(words, repo.root, environ)
        assert ran.code == 0, ran.out + ran.err
        return ran.out

    for name, (template, answers) in STACKS.items():
        versions = sorted((TEMPLATES / template).iterdir(), key=lambda folder: int(folder.name))
        sample = {**yaml.safe_load((versions[-1] / "sample.yaml").read_text()), **answers}
        infra("new", template, name, *(f"--data={key}={value}" for key, value in sample.items()))
    repo.commit(message="stacks")
    findings = json.loads(infra("lint", "--simulated", "--json"))["findings"]
    own = [finding for finding in findings if finding["file"].startswith("infra/envs/")]
    assert {finding["rule"] for finding in own} <= {"lock-file"}
    infra("guard")
    infra("sandbox", "up")
    planned = json.loads(infra("sandbox", "exec", "--", "infra", "plan", "--all", "--json"))
    counts = {stack["id"]: stack["counts"]["create"] for stack in planned["stacks"]}
    assert counts.keys() == {f"dev/{name}" for name in STACKS}
    assert counts["dev/queue"] == 1
    assert counts["dev/plain"] < counts["dev/shop"]
