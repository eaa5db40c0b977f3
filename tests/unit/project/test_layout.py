"""A repository without a stack: never nothing to do, and what infra.yaml should say."""

from __future__ import annotations

import pytest

from orchestrator.ci.scaffold import Wanted, codeowners, settings, target_of
from orchestrator.errors import ConfigError, ProjectError
from orchestrator.project import load
from orchestrator.project.layout import as_laid_out, fitting, require_stacks, root_modules
from orchestrator.project.validate import check
from tests.conftest import MakeRepo

ROOT = 'terraform {\n  backend "local" {}\n}\n'
RESOURCE = 'resource "terraform_data" "x" {}\n'
MOVED = "moved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n"


@pytest.mark.parametrize(
    ("roots", "keys"),
    [
        (["environments/dev/a", "environments/prod/a"], "roots: {envs: environments}"),
        (["environments/dev/a"], "roots: {envs: environments}"),
        (["live/dev/eu/a", "live/prod/us/a"], "roots: {envs: live}"),
        (["live/blue/a", "live/green/a"], "roots: {envs: live}"),
        (["infra/modules/dev/a"], "roots: {envs: infra/modules, modules: FOLDER}"),
        (["platform"], "stacks: {platform: {path: platform, environments: {ENVIRONMENT: {}}}}"),
        (["dev/a", "prod/a"], "stacks: {a: {path: dev/a, environments: {dev: {}}}}"),
        ([""], "stacks: {main: {path: ., environments: {ENVIRONMENT: {}}}}"),
    ],
)
def test_what_would_find_root_modules(roots: list[str], keys: str) -> None:
    assert fitting(roots, "infra/modules") == keys


def test_root_modules_are_told_from_modules_and_examples(make_repo: MakeRepo) -> None:
    files = {
        "environments/dev/a/main.tf": ROOT + 'module "m" {\n  source = "../../../parts/net"\n}\n',
        "environments/dev/b/main.tf": RESOURCE,
        "environments/dev/b/terraform.tfvars": "",
        "parts/net/main.tf": RESOURCE,
        "parts/unused/main.tf": RESOURCE,
        "modules/x/main.tf": ROOT,
        "modules/x/examples/all/main.tf": ROOT,
        ".terraform/modules/y/main.tf": ROOT,
    }
    project = load(make_repo(files).root)
    assert root_modules(project) == ("environments/dev/a", "environments/dev/b")


@pytest.mark.parametrize("config", ["", "roots: {envs: enviroments}\n"])
def test_root_modules_that_are_not_found_are_named(make_repo: MakeRepo, config: str) -> None:
    files = {f"environments/{name}/a/main.tf": ROOT for name in ("dev", "prod")}
    project = load(make_repo({**files, "infra.yaml": config}).root)
    with pytest.raises(ConfigError, match=r"2 root modules are elsewhere: environments/dev/a, ") as error:
        require_stacks(project)
    assert error.value.advice == "In infra.yaml: `roots: {envs: environments}`"
    assert int(error.value.exit_code) == 3


def test_a_change_that_deletes_the_last_stack_is_no_mistake(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": ROOT, "README.md": ""})
    repo.git("rm", "-q", "infra/envs/dev/a/main.tf")
    repo.commit(message="Delete the last stack")
    require_stacks(load(repo.root))


def test_a_repository_that_never_had_a_stack_has_nothing_to_do_for_no_reason(make_repo: MakeRepo) -> None:
    with pytest.raises(ConfigError, match="infra/envs does not exist") as error:
        require_stacks(load(make_repo({"README.md": ""}).root))
    assert "roots: {envs: FOLDER}" in error.value.advice


def test_moving_the_stacks_out_of_sight_is_not_deleting_them(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": ROOT})
    repo.git("mv", "infra/envs", "environments")
    repo.commit(message="Rename the folder")
    with pytest.raises(ConfigError, match="1 root module is elsewhere"):
        require_stacks(load(repo.root))


def test_excluded_folders_are_no_stacks_nor_what_lies_in_them(make_repo: MakeRepo) -> None:
    files = {
        "infra.yaml": 'exclude: ["**/_template", "infra/envs/*/old"]\n',
        "infra/envs/dev/app/main.tf": ROOT,
        "infra/envs/dev/_template/main.tf": ROOT,
        "infra/envs/dev/_template/inner/main.tf": ROOT,
        "infra/envs/dev/old/main.tf": ROOT,
        "infra/envs/dev/app/old/main.tf": ROOT,
    }
    assert list(load(make_repo(files).root).stacks) == ["dev/app", "dev/app/old"]


def test_a_folder_of_moved_blocks_alone_is_no_stack(make_repo: MakeRepo) -> None:
    files = {
        "infra/envs/dev/app/main.tf": ROOT + MOVED,
        "infra/envs/dev/app/moved/main.tf": MOVED,
        "infra/envs/dev/emptied/main.tf": "removed {\n  from = terraform_data.a\n}\n",
    }
    assert list(load(make_repo(files).root).stacks) == ["dev/app", "dev/emptied"]


def test_a_link_to_nothing_is_named(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": ROOT})
    (repo.root / "infra/envs/dev/a/terraform.tfvars").symlink_to("../missing.tfvars")
    (repo.root / "infra/missing.tf").symlink_to("nowhere.tf")
    findings = [one for one in check(load(repo.root)) if one.code == "link-dangling"]
    assert [(one.severity, one.file) for one in findings] == [
        ("error", "infra/envs/dev/a/terraform.tfvars"),
        ("warning", "infra/missing.tf"),
    ]


def test_an_infra_yaml_to_begin_with_says_what_the_repository_does_not(make_repo: MakeRepo) -> None:
    bucket = 'terraform {\n  backend "gcs" {\n    bucket = "b"\n    prefix = "p"\n  }\n}\n'
    files = {f"environments/{name}/vpc/main.tf": bucket for name in ("prod", "dev")}
    project = as_laid_out(load(make_repo(files).root))
    assert list(project.stacks) == ["dev/vpc", "prod/vpc"]
    target = target_of(project, "acme/live", None, ())
    assert target.environments == ("dev", "prod")
    text = settings(project, Wanted(target, None))
    assert "roots: # where the environments are\n  envs: environments\n" in text
    assert "backend" not in text.replace("`backend", "")
    assert "/bootstrap/" in codeowners(["@acme/platform"], "bootstrap")


def test_environments_without_well_known_names_are_not_replaced_by_others(make_repo: MakeRepo) -> None:
    project = load(make_repo({f"infra/envs/{name}/a/main.tf": ROOT for name in ("blue", "green")}).root)
    assert target_of(project, "acme/live", None, ()).environments == ("blue", "green")


def test_an_infra_yaml_is_not_guessed_where_the_order_of_folders_says_nothing(make_repo: MakeRepo) -> None:
    with pytest.raises(ConfigError, match="1 root module is elsewhere: platform"):
        as_laid_out(load(make_repo({"platform/main.tf": ROOT}).root))


def test_a_file_that_git_lfs_did_not_fetch_is_named(make_repo: MakeRepo) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:6fd5d7\nsize 90405214\n"
    reads = ROOT + 'locals {\n  x = filesha256("${path.module}/app.zip")\n}\n'
    files = {"infra/envs/dev/fn/main.tf": reads, "infra/envs/dev/fn/app.zip": pointer}
    repo = make_repo(files)
    load(repo.root).require(["dev/fn"])
    repo.write({".gitattributes": "*.zip filter=lfs diff=lfs merge=lfs -text\n"})
    with pytest.raises(ProjectError, match=r"app\.zip is kept in Git LFS and was not fetched"):
        load(repo.root).require(["dev/fn"])
