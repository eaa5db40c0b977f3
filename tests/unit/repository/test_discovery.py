"""Stacks that patterns find, and modules inside the environments' folder."""

from __future__ import annotations

import pytest

from orchestrator.errors import ConfigError
from tests.support.memory_tree import stacks_of

ROOT = 'terraform {\n  backend "gcs" {}\n}\n'
STAGES = "stacks: {'{stage}/envs/{environment}': {}}\n"


def test_a_pattern_gives_one_name_in_every_environment() -> None:
    files = {
        "1-org/envs/shared/main.tf": ROOT,
        "2-net/envs/dev/main.tf": ROOT + 'module "m" {\n  source = "../../modules/net"\n}\n',
        "2-net/envs/prod/main.tf": ROOT,
        "2-net/modules/net/main.tf": "",
        "2-net/modules/envs/net/main.tf": "",
        "README.md": "",
    }
    stacks = stacks_of(files, STAGES).stacks
    assert {id_: stack.path for id_, stack in stacks.items()} == {
        "shared/1-org": "1-org/envs/shared",
        "dev/2-net": "2-net/envs/dev",
        "prod/2-net": "2-net/envs/prod",
    }


def test_what_a_pattern_does_not_make_a_stack() -> None:
    """A called module, an excluded folder, what belongs to another root, and the modules' folder."""
    files = {
        "a/envs/dev/main.tf": 'module "m" {\n  source = "../../../b/envs/dev"\n}\n',
        "b/envs/dev/main.tf": "",
        "c/envs/dev/main.tf": ROOT,
        "modules/envs/dev/main.tf": ROOT,
        "modules/main.tf": ROOT,
    }
    stacks = stacks_of(files, STAGES + "exclude: [c]\nroots: {modules: modules}\n").stacks
    assert list(stacks) == ["dev/a"]


def test_the_first_pattern_and_a_shared_root_win() -> None:
    files = {"1-org/envs/dev/main.tf": ROOT, "app/x/dev/main.tf": ROOT, "app/y/dev/main.tf": ROOT}
    settings = (
        "stacks:\n  '{stage}/envs/{environment}': {}\n  '{stage}/{unit}/{environment}': {}\n"
        "  y: {path: app/y/dev, environments: {dev: {}}}\n"
    )
    assert sorted(stacks_of(files, settings).stacks) == ["dev/1-org", "dev/app/x", "dev/y"]


def test_settings_of_a_pattern_and_of_one_stack() -> None:
    files = {"a/envs/dev/main.tf": ROOT, "b/envs/dev/main.tf": ROOT}
    settings = (
        "stacks:\n  '{stage}/envs/{environment}':\n    reads: [files]\n"
        "    backend: {gcs: {bucket: all, prefix: '{environment}/{stack}'}}\n"
        "  dev/b: {depends_on: [dev/a], backend: {gcs: {bucket: own, prefix: p}}}\n"
    )
    stacks = stacks_of(files, settings).stacks
    assert stacks["dev/a"].state == "gs://all/dev/a/default.tfstate"
    assert stacks["dev/b"].state == "gs://own/p/default.tfstate"
    assert stacks["dev/b"].depends_on == ("dev/a",)
    assert stacks["dev/b"].reads == ("files",)


def test_variable_files_of_the_environment_the_pattern_and_the_stack_in_this_order() -> None:
    files = {"a/envs/dev/main.tf": ROOT, "infra/envs/dev/net/main.tf": ROOT, "app/main.tf": ROOT}
    settings = (
        "environments: {dev: {var_files: [dev.tfvars]}}\n"
        "stacks:\n  '{stage}/envs/{environment}': {var_files: ['config/{environment}.tfvars']}\n"
        "  dev/a: {var_files: [a.tfvars]}\n  dev/net: {var_files: ['./net.tfvars']}\n"
        "  app: {path: app, var_files: [app.tfvars], environments: {dev: {var_files: [app-dev.tfvars]}}}\n"
        "  dev/app: {var_files: [own.tfvars]}\n"
    )
    stacks = stacks_of(files, settings).stacks
    assert {id_: stack.var_files for id_, stack in stacks.items()} == {
        "dev/a": ("dev.tfvars", "config/dev.tfvars", "a.tfvars"),
        "dev/net": ("dev.tfvars", "net.tfvars"),
        "dev/app": ("dev.tfvars", "app.tfvars", "own.tfvars", "app-dev.tfvars"),
    }


@pytest.mark.parametrize("key", ["path: x", "environments: {dev: {}}", "depends_on: [dev/a]", "moved: dev/a"])
def test_what_belongs_to_one_stack_is_no_setting_of_a_pattern(key: str) -> None:
    with pytest.raises(ConfigError):
        stacks_of({}, f"stacks: {{'{{stage}}/{{environment}}': {{{key}}}}}\n")


def test_modules_may_be_a_folder_beside_the_environments() -> None:
    files = {"terraform/dev/a/main.tf": ROOT, "terraform/modules/net/main.tf": ROOT}
    project = stacks_of(files, "roots: {envs: terraform, modules: terraform/modules}\n")
    assert list(project.stacks) == ["dev/a"]
    assert list(project.modules) == ["terraform/modules/net"]
