"""The infra.yaml that `infra init` writes: what differs from the defaults, each line with its reason."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.config import Config, load_text
from orchestrator.forge.install_source import parse_source
from orchestrator.forge.workflow_target import WorkflowTarget
from orchestrator.repository.layout_survey import Answers, Layout, survey
from orchestrator.repository.repository_facts import RepositoryFacts, read_facts, split_url
from orchestrator.scaffold.init import (
    InitRequest,
    describe_layout,
    layout_notes,
    next_steps,
    render_codeowners,
    render_settings,
)
from tests.support.memory_tree import memory_tree, source_of, stacks_of

OWN = 'terraform {\n  backend "gcs" {\n    bucket = "b"\n    prefix = "p"\n  }\n}\n'
GCS = 'terraform {\n  backend "gcs" {}\n}\n'
GIT = parse_source(f"git+https://github.com/acme/infra@{'0' * 40}")
ENVIRONMENTS = {f"environments/{name}/vpc/main.tf": OWN for name in ("dev", "prod")}


def layout_of(files: Mapping[str, str], *environments: str) -> Layout:
    return survey(source_of(memory_tree(files), Config()), Answers(environments)).layouts[0]


def facts_of(files: Mapping[str, str], url: str | None = None) -> RepositoryFacts:
    return read_facts(source_of(memory_tree(files), Config()), url)


def test_only_what_differs_is_written_and_each_line_states_why() -> None:
    text = render_settings(InitRequest(None, None, layout_of(ENVIRONMENTS)))
    assert text == (
        "# `infra schema` prints every key, docs/configuration.md explains them.\n"
        "version: 1\n"
        "roots:  # where this repository has its folders\n"
        "  envs: environments  # 2 root modules in dev, prod\n"
    )


def test_with_workflows_the_last_environment_is_applied_by_them() -> None:
    target = WorkflowTarget("acme/live", "main", ("dev", "prod"))
    files = {**ENVIRONMENTS, ".tool-versions": "terraform 1.9.8\n"}
    request = InitRequest(target, GIT, layout_of(files), facts_of(files))
    config = load_text(render_settings(request))
    assert list(config.environments) == ["dev", "prod"]
    assert config.environments["prod"].apply == "ci"
    assert config.environments["prod"].protected is True
    assert (config.terraform.version, config.terraform.install) == ("1.9.8", "setup")


def test_what_is_left_open_is_reported_and_not_invented() -> None:
    files = {
        **{f"envs/{name}/a/main.tf": GCS for name in ("dev", "blue")},
        "tools/main.tf": OWN,
    }
    layout = layout_of(files)
    notes = layout_notes(layout)
    assert any("{path: FOLDER, " in note for note in notes)
    assert [note.split(":")[0] for note in notes] == [
        "Not in the promotion order yet",
        "Root modules of no environment, which are no stacks",
        "blue/a, dev/a leave their backend open, and no file has its settings",
    ]
    text = render_settings(InitRequest(None, None, layout))
    assert all(f"# {note}" in text for note in notes)
    assert load_text(text).backend is None
    assert sorted(stacks_of(files, text).stacks) == ["blue/a", "dev/a"]


def test_what_was_found_is_described() -> None:
    files = {
        **ENVIRONMENTS,
        ".terraform-version": "1.9.8\n",
        "atlantis.yaml": "",
        ".github/workflows/tf.yml": "run: terraform apply\n",
        ".github/workflows/infra-plan.yml": "run: terraform apply\n",
    }
    layout = layout_of(files)
    facts = facts_of(files, "git@github.com:acme/live.git")
    described = dict(describe_layout(layout, ("environments/dev/vpc", "environments/prod/vpc"), facts))
    assert described == {
        "Root modules": "2: environments/dev/vpc, environments/prod/vpc",
        "Environments": "dev → prod",
        "Stacks": "2: dev/vpc, prod/vpc",
        "Backends": "gcs",
        "Terraform": "1.9.8 (.terraform-version)",
        "Origin": "github acme/live",
        "Runs already": ".github/workflows/tf.yml, atlantis.yaml",
    }


@pytest.mark.parametrize(
    ("files", "version", "product", "install", "unread"),
    [
        ({".terraform-version": "1.9.8\n"}, "1.9.8", "terraform", "setup", False),
        ({".terraform-version": "latest\n"}, None, "terraform", "embedded", False),
        ({".tool-versions": "nodejs 20.1.0\nterraform 1.5.7\n"}, "1.5.7", "terraform", "setup", True),
        ({".tool-versions": "opentofu 1.8.1\n"}, "1.8.1", "tofu", "setup", True),
        ({".opentofu-version": "1.8.1\n"}, "1.8.1", "tofu", "setup", True),
        (
            {".github/workflows/ci.yml": "  with:\n    terraform_version: '1.7.5'\n"},
            "1.7.5",
            "terraform",
            "setup",
            True,
        ),
        (
            {"a/.terraform-version": "1.9.8\n", "b/.terraform-version": "1.5.7\n"},
            None,
            "terraform",
            "embedded",
            False,
        ),
        (
            {"main.tf": 'terraform {\n  required_version = ">= 1.5"\n}\n'},
            None,
            "terraform",
            "embedded",
            False,
        ),
    ],
)
def test_the_terraform_that_a_repository_names(
    files: dict[str, str], version: str | None, product: str, install: str, unread: bool
) -> None:
    facts = facts_of(files)
    assert (facts.version, facts.product, facts.install, facts.is_unread) == (
        version,
        product,
        install,
        unread,
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://github.com/acme/live.git", ("github", "acme/live")),
        ("git@github.com:acme/live", ("github", "acme/live")),
        ("ssh://git@github.acme.example:22/acme/live.git", ("github", "acme/live")),
        ("https://user:token@gitlab.com/acme/team/live.git", ("gitlab", "acme/team/live")),
        ("git@bitbucket.org:acme/live.git", ("bitbucket", "acme/live")),
        ("https://git.acme.example/acme/live", ("other", "acme/live")),
        ("/srv/git/live.git", ("other", "")),
        (None, ("none", "")),
    ],
)
def test_the_host_of_the_origin(url: str | None, host: tuple[str, str]) -> None:
    assert split_url(url) == host


def test_owners_are_given_to_folders_that_exist() -> None:
    text = render_codeowners(["@acme/platform"], ["bootstrap"])
    assert "/bootstrap/ " in text
    assert "/policies/" not in text
    assert "/.github/workflows/ " in text


def test_steps_without_workflows_lead_to_a_plan() -> None:
    assert "infra plan --all" in next_steps(InitRequest(None, None))[0]
