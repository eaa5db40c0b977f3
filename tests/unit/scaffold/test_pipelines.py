"""Which files are written for which CI, and what is not written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.errors import UsageError
from orchestrator.forge.install_source import GitSource
from orchestrator.repository.loading import load
from orchestrator.scaffold.pipelines import (
    DOCKERFILE,
    SYSTEMS,
    PipelineEnvironment,
    PipelineTarget,
    System,
    describe_next,
    make_pipeline,
    render_dockerfile,
    render_pipeline,
    select_environments,
)
from tests.conftest import MakeRepo

IMAGE = f"registry.example.com/infra@sha256:{'a' * 64}"
ENVIRONMENTS = (PipelineEnvironment("dev"), PipelineEnvironment("prod", by_manifest=True))
TARGET = PipelineTarget("main", ENVIRONMENTS, IMAGE)
Make = Callable[..., dict[str, str]]


@pytest.fixture
def make(make_repo: MakeRepo) -> Make:
    """The files for a project with an infra.yaml."""

    def call(
        text: str = "", system: System | None = "gitlab", image: str = IMAGE, **more: Any
    ) -> dict[str, str]:
        files = {"infra.yaml": f"version: 1\n{text}", "infra/envs/dev/a/main.tf": ""}
        project = load(make_repo(files).root)
        options = {"trunk": None, "environments": (), "source_text": None} | more
        return dict(make_pipeline(project, system, image, **options))

    return call


@pytest.mark.parametrize("system", SYSTEMS)
def test_nothing_is_left_to_fill_in(system: System) -> None:
    for text in render_pipeline(system, TARGET).values():
        assert "@@" not in text
        assert IMAGE in text


@pytest.mark.parametrize("system", SYSTEMS)
def test_only_an_environment_with_a_manifest_takes_a_hash(system: System) -> None:
    text = "\n".join(render_pipeline(system, TARGET).values())
    assert re.findall(r"infra ci apply .*", text) == [
        "infra ci apply dev",
        'infra ci apply prod --manifest manifest-prod.json --sha256 "$MANIFEST_SHA256"',
    ]
    assert "infra ci compare dev" not in text


@pytest.mark.parametrize("system", SYSTEMS)
def test_links_of_a_change_are_removed_before_something_is_written(system: System) -> None:
    text = "\n".join(render_pipeline(system, TARGET).values())
    plans = [match.start() for match in re.finditer("infra ci plan", text)]
    line = r"^[ -]*find \.infra plan-(\w+)\.md plan-\1\.json -type l -delete"
    links = [match.start() for match in re.finditer(line, text, re.MULTILINE)]
    assert len(plans) == len(links) == 2
    assert all(link < plan for link, plan in zip(links, plans, strict=True))


def test_the_job_that_comments_has_no_account() -> None:
    gitlab = render_pipeline("gitlab", TARGET)[".gitlab-ci.yml"]
    comment = gitlab[gitlab.index("\ncomment:") :]
    assert "extends: .infra" not in comment
    assert "INFRA_ID_TOKEN" not in comment
    assert gitlab.index("INFRA_COMMENT_TOKEN") > gitlab.index("\ncomment:")
    bitbucket = render_pipeline("bitbucket", TARGET)["bitbucket-pipelines.yml"]
    comment = bitbucket[bitbucket.index("name: comment") : bitbucket.index("branches:")]
    assert "oidc" not in comment


def test_rules_of_approval_decide_who_must_approve(make_repo: MakeRepo) -> None:
    text = "environments: {dev: {}, staging: {approved_by: merge}, prod: {approved_by: manifest}}\n"
    config = load(make_repo({"infra.yaml": text}).root).config
    names = ("dev", "staging", "prod")
    by_manifest = [environment.by_manifest for environment in select_environments(config, names)]
    assert by_manifest == [False, False, True]
    config = load(make_repo({"infra.yaml": "environments: {dev: {}, prod: {}}\n"}, "other").root).config
    assert [each.by_manifest for each in select_environments(config, ("dev", "prod"))] == [False, True]


def test_the_image_is_fixed_by_its_digest(make: Make) -> None:
    for image in ("infra", "infra:1.0", f"infra@sha256:{'a' * 63}", f"infra@sha256:{'a' * 64};rm -rf /"):
        with pytest.raises(UsageError, match=r"not fixed by its digest"):
            make(image=image)
    assert list(make(image=IMAGE)) == [".gitlab-ci.yml"]


def test_without_an_image_there_is_the_dockerfile_of_one(make: Make) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    files = make(image="", source_text=f"git+https://example.com/acme/infra@{commit}")
    assert list(files) == [DOCKERFILE]
    assert files[DOCKERFILE] == render_dockerfile(GitSource("https://example.com/acme/infra", commit))
    assert "--require-hashes" in files[DOCKERFILE]
    assert "RUNNER_TEMP" not in files[DOCKERFILE]
    with pytest.raises(UsageError, match=r"an action is for GitHub Actions"):
        make(image="", source_text=f"acme/infra@{commit}")


def test_an_image_alone_names_no_ci(make: Make) -> None:
    with pytest.raises(UsageError, match=r"for another CI"):
        make(system=None)


@pytest.mark.parametrize("name", ["pro d", "prod;x", "prod'", "1st", "$(x)"])
def test_names_that_would_be_more_than_a_name_in_a_script_are_refused(make: Make, name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be the name of a job"):
        make(environments=(name,))


def test_what_is_left_for_people_is_named(make_repo: MakeRepo) -> None:
    project = load(make_repo({"infra.yaml": "version: 1\n"}).root)
    assert any("ci: {system: gitlab}" in step for step in describe_next(project, "gitlab", IMAGE))
    assert any("--image NAME@sha256:DIGEST" in step for step in describe_next(project, "gitlab", ""))
    named = load(make_repo({"infra.yaml": "ci: {system: gitlab}\n"}, "other").root)
    assert not any("ci: {system" in step for step in describe_next(named, "gitlab", IMAGE))
