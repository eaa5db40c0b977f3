"""A repository without a stack: never nothing to do, and what infra.yaml should say."""

from __future__ import annotations

import pytest

from orchestrator.config import Config
from orchestrator.errors import ConfigError, ProjectError
from orchestrator.repository.layout import require_stacks, suggestion
from orchestrator.repository.layout_survey import Answers, root_modules, survey
from orchestrator.repository.loading import load
from orchestrator.repository.validation import validate_project
from orchestrator.scaffold.init import make_target
from tests.conftest import MakeRepo
from tests.support.memory_tree import memory_tree, source_of

ROOT = 'terraform {\n  backend "local" {}\n}\n'
RESOURCE = 'resource "terraform_data" "x" {}\n'
MOVED = "moved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n"


@pytest.mark.parametrize(
    ("roots", "words"),
    [
        (["environments/dev/a", "environments/prod/a"], "In infra.yaml: `roots: {envs: environments}`."),
        (["live/blue/a", "live/green/a"], "In infra.yaml: `roots: {envs: live}`."),
        (["dev/a", "prod/a"], 'In infra.yaml: `stacks: {"{environment}/{stack}": {}}`.'),
        (
            ["env/dev/a", "live/dev/a"],
            "Choose, and write it into infra.yaml: `roots: {envs: env}` or `roots: {envs: live}`.",
        ),
        (["platform"], "platform: nothing says which environment it is. Say it: `infra init --environment"),
        ([""], "the top folder: nothing says which environment it is."),
    ],
)
def test_what_would_find_root_modules(roots: list[str], words: str) -> None:
    files = {f"{root}/main.tf".lstrip("/"): ROOT for root in roots}
    result = survey(source_of(memory_tree(files), Config()), Answers())
    assert suggestion(result).startswith(words)


def test_root_modules_are_distinguished_from_modules_and_examples(make_repo: MakeRepo) -> None:
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
    assert root_modules(project.coverage.source) == ("environments/dev/a", "environments/dev/b")


@pytest.mark.parametrize("config", ["", "roots: {envs: enviroments}\n"])
def test_root_modules_that_are_not_found_are_named(make_repo: MakeRepo, config: str) -> None:
    files = {f"environments/{name}/a/main.tf": ROOT for name in ("dev", "prod")}
    project = load(make_repo({**files, "infra.yaml": config}).root)
    with pytest.raises(ConfigError, match=r"2 root modules are elsewhere: environments/dev/a, ") as error:
        require_stacks(project)
    assert error.value.advice.startswith("In infra.yaml: `roots: {envs: environments}`.")
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
    findings = [finding for finding in validate_project(load(repo.root)) if finding.code == "link-dangling"]
    assert [(finding.severity, finding.file) for finding in findings] == [
        ("error", "infra/envs/dev/a/terraform.tfvars"),
        ("warning", "infra/missing.tf"),
    ]


def test_environments_without_well_known_names_are_not_replaced_by_others(make_repo: MakeRepo) -> None:
    project = load(make_repo({f"infra/envs/{name}/a/main.tf": ROOT for name in ("blue", "green")}).root)
    assert make_target(project, "acme/live", None, ()).environments == ("blue", "green")


def test_a_folder_of_environments_that_is_gone_is_an_error_beside_other_stacks(make_repo: MakeRepo) -> None:
    files = {
        "app/main.tf": ROOT,
        "infra.yaml": "roots: {envs: gone}\nstacks: {app: {path: app, environments: {dev: {}}}}\n",
    }
    project = load(make_repo(files).root)
    assert list(project.stacks) == ["dev/app"]
    with pytest.raises(ConfigError, match="gone does not exist"):
        require_stacks(project)
    assert "no-stacks" in {finding.code for finding in validate_project(project)}


def test_an_exclude_that_hides_everything_is_named(make_repo: MakeRepo) -> None:
    files = {"infra/envs/dev/a/main.tf": ROOT, "infra.yaml": 'exclude: ["**"]\n'}
    with pytest.raises(ConfigError, match=r"`exclude` \(\*\*\)") as caught:
        require_stacks(load(make_repo(files).root))
    assert "a narrower glob" in caught.value.advice


def test_a_file_that_git_lfs_did_not_fetch_is_named(make_repo: MakeRepo) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:6fd5d7\nsize 90405214\n"
    reads = ROOT + 'locals {\n  x = filesha256("${path.module}/app.zip")\n}\n'
    files = {"infra/envs/dev/fn/main.tf": reads, "infra/envs/dev/fn/app.zip": pointer}
    repo = make_repo(files)
    load(repo.root).require(["dev/fn"])
    repo.write({".gitattributes": "*.zip filter=lfs diff=lfs merge=lfs -text\n"})
    with pytest.raises(ProjectError, match=r"app\.zip is kept in Git LFS and was not fetched"):
        load(repo.root).require(["dev/fn"])


def test_a_variable_file_that_does_not_exist_stops_a_command(make_repo: MakeRepo) -> None:
    settings = "environments: {dev: {var_files: [secret.tfvars, missing.tfvars]}}\n"
    repo = make_repo({"infra/envs/dev/a/main.tf": ROOT, "infra.yaml": settings, ".gitignore": "secret.*\n"})
    repo.write({"secret.tfvars": ""})
    project = load(repo.root)
    with pytest.raises(
        ProjectError, match=r"the variable file missing\.tfvars, which does not exist"
    ) as error:
        project.require(["dev/a"])
    assert int(error.value.exit_code) == 3
    codes = [finding.message for finding in validate_project(project) if finding.code == "var-file"]
    assert codes == ["dev/a uses the variable file missing.tfvars, which does not exist."]


def test_root_modules_that_terragrunt_generates_are_named(make_repo: MakeRepo) -> None:
    files = {"live/dev/net/terragrunt.hcl": "inputs = {}\n", "live/terragrunt.hcl": ""}
    project = load(make_repo(files).root)
    with pytest.raises(ConfigError, match=r"Terragrunt generates the root modules, .* live"):
        require_stacks(project)
    assert "Terragrunt generates" in survey(project.coverage.source, Answers()).question
