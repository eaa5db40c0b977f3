"""What a run's session makes of infra.yaml."""

from __future__ import annotations

import os

from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import open_session
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo


def test_parallelism_is_requested_or_configured(make_repo: MakeRepo, terraform_argv: tuple[str, ...]) -> None:
    """The command line wins over infra.yaml, which wins over the number of cores."""
    repo = make_repo(
        {
            "infra.yaml": "environments: {dev: {parallelism: 7}, prod: {}}\n",
            "infra/envs/dev/a/main.tf": "",
            "infra/envs/prod/a/main.tf": "",
        }
    )
    project = load(repo.root)
    session = open_session(project, os.environ, SilentProgress())
    assert session.context.workers_in("dev") == 7
    assert session.context.workers_in("prod") == session.context.workers
    assert open_session(project, os.environ, SilentProgress(), workers=2).context.workers_in("dev") == 2


def test_limits_for_providers_count_in_plans_and_applies(
    make_repo: MakeRepo, terraform_argv: tuple[str, ...]
) -> None:
    topic = 'resource "google_pubsub_topic" "t" {\n  name = "t"\n}\n'
    repo = make_repo(
        {
            "infra.yaml": "terraform: {limits: {google: 1}}\nenvironments: {dev: {}}\n",
            "infra/envs/dev/a/main.tf": topic,
            "infra/envs/dev/b/main.tf": 'module "m" {\n  source = "../../../modules/m"\n}\n',
            "infra/envs/dev/c/main.tf": 'resource "random_id" "r" {}\n',
            "infra/modules/m/main.tf": topic,
        }
    )
    session = open_session(load(repo.root), os.environ, SilentProgress())
    for admission in (session.admission(), session.admission(own_providers=True)):
        assert not admission.admits("dev/b", ["dev/a"])
        assert admission.admits("dev/c", ["dev/a"])
    session.close()
