"""What the files of a repository say about its stacks; trees in the shape of repositories that exist."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from orchestrator.config import Config, load_text
from orchestrator.repository.layout_settings import layout_document, render_lines
from orchestrator.repository.layout_survey import Answers, Layout, Survey, environment_in, survey
from tests.support.memory_tree import memory_tree, source_of, stacks_of

GCS = 'terraform {\n  backend "gcs" {}\n}\n'
OWN = 'terraform {\n  backend "gcs" {\n    bucket = "acme"\n    prefix = "p"\n  }\n}\n'
S3 = 'terraform {\n  backend "s3" {}\n}\n'
LOCAL = 'terraform {\n  backend "local" {}\n}\n'
PLAIN = 'resource "terraform_data" "x" {}\n'
BUCKET = 'bucket = "acme-{}"\n'


def calls(source: str) -> str:
    return f'module "m" {{\n  source = "{source}"\n}}\n'


def look(files: Mapping[str, str], *environments: str, bucket: str = "") -> Survey:
    return survey(source_of(memory_tree(files), Config()), Answers(environments, bucket))


def only(files: Mapping[str, str], *environments: str, bucket: str = "") -> Layout:
    result = look(files, *environments, bucket=bucket)
    assert len(result.layouts) == 1, result
    return result.layouts[0]


FOUNDATION = {
    **{f"1-org/envs/{name}/main.tf": OWN + calls("../../modules/base") for name in ("shared",)},
    "1-org/modules/base/main.tf": PLAIN,
    **{
        f"{stage}/envs/{name}/main.tf": OWN + calls("../../modules/env")
        for stage in ("2-environments", "3-networks")
        for name in ("development", "nonproduction", "production")
    },
    "2-environments/modules/env/main.tf": PLAIN,
    "3-networks/modules/env/main.tf": PLAIN,
    **{
        f"4-projects/business_unit_1/{name}/main.tf": OWN
        for name in ("shared", "development", "nonproduction", "production")
    },
    "4-projects/modules/single/main.tf": PLAIN,
    "0-bootstrap/main.tf": OWN,
    "README.md": "",
}
FAST = {
    "fast/stages/0-org-setup/main.tf": OWN,
    "fast/stages/2-networking/main.tf": OWN,
    "fast/stages/3-gke-dev/main.tf": OWN,
    "modules/project/main.tf": PLAIN,
    "modules/net-vpc/main.tf": PLAIN,
}
LIVE = {
    f"live/{env}/{region}/{stack}/main.tf": OWN + calls("../../../../modules/vpc")
    for env in ("dev", "prod")
    for region in ("eu-west-1", "us-east-1")
    for stack in ("vpc", "app")
} | {"modules/vpc/main.tf": PLAIN}


@pytest.mark.parametrize(
    ("files", "document", "stacks"),
    [
        (
            {f"environments/{env}/vpc/main.tf": OWN for env in ("dev", "prod")},
            {"roots": {"envs": "environments"}},
            ["dev/vpc", "prod/vpc"],
        ),
        (
            {f"infra/envs/{env}/vpc/main.tf": OWN for env in ("dev", "prod")},
            {},
            ["dev/vpc", "prod/vpc"],
        ),
        (
            LIVE,
            {"roots": {"envs": "live", "modules": "modules"}},
            [
                f"{env}/{region}/{s}"
                for env in ("dev", "prod")
                for region in ("eu-west-1", "us-east-1")
                for s in ("app", "vpc")
            ],
        ),
        (
            {
                **{f"terraform/{env}/net/main.tf": OWN + calls("../../modules/net") for env in ("qa", "prd")},
                "terraform/modules/net/main.tf": PLAIN,
            },
            {
                "roots": {"envs": "terraform", "modules": "terraform/modules"},
                "environments": {"qa": {}, "prd": {}},
            },
            ["prd/net", "qa/net"],
        ),
        (
            {"dev/net/main.tf": OWN, "prod/net/main.tf": OWN, "scripts/x/main.tf": PLAIN},
            {"exclude": ["scripts"], "stacks": {"{environment}/{stack}": {}}},
            ["dev/net", "prod/net"],
        ),
        (
            {"dev/main.tf": OWN, "prod/main.tf": OWN},
            {"stacks": {"{environment}": {}}},
            ["dev", "prod"],
        ),
        (
            {f"{stack}/{env}/main.tf": OWN for stack in ("net", "app") for env in ("dev", "prod")},
            {"stacks": {"{component}/{environment}": {}}},
            ["dev/app", "dev/net", "prod/app", "prod/net"],
        ),
        (
            {
                **{
                    f"services/{name}/terraform/envs/{env}/main.tf": OWN + calls("../../modules/x")
                    for name in ("cart", "shop")
                    for env in ("staging", "prod")
                },
                "services/cart/terraform/modules/x/main.tf": PLAIN,
                "services/shop/terraform/modules/x/main.tf": PLAIN,
            },
            {"stacks": {"services/{component}/terraform/envs/{environment}": {}}},
            ["prod/cart", "prod/shop", "staging/cart", "staging/shop"],
        ),
        (
            FOUNDATION,
            {
                "environments": {"development": {}, "nonproduction": {}, "production": {}},
                "stacks": {
                    "{stage}/envs/{environment}": {},
                    "4-projects/business_unit_1/{environment}": {},
                },
            },
            None,
        ),
        (
            {
                "environments/dev/a/main.tf": OWN,
                "environments/prod/a/main.tf": OWN,
                "environments/_template/a/main.tf": GCS,
            },
            {"roots": {"envs": "environments"}, "exclude": ["environments/_template"]},
            ["dev/a", "prod/a"],
        ),
    ],
)
def test_environments_in_paths(files: dict[str, str], document: object, stacks: list[str] | None) -> None:
    layout = only(files)
    assert layout_document(layout.config) == document
    assert stacks is None or sorted(layout.stacks) == stacks


def test_a_foundation_of_stages_has_one_name_in_every_environment() -> None:
    layout = only(FOUNDATION)
    assert {stack.rpartition("/")[2] for stack in layout.stacks if "envs" in layout.stacks[stack].path} == {
        "1-org",
        "2-environments",
        "3-networks",
    }
    assert layout.unordered == ("shared",)
    assert layout.left_out == ("0-bootstrap",)


def test_stages_without_environments_are_a_question_and_then_stacks() -> None:
    result = look(FAST)
    assert not result.layouts
    assert "fast/stages/0-org-setup, " in result.question
    assert "which environment it is" in result.question
    layout = only(FAST, "prod")
    assert sorted(layout.stacks) == ["prod/0-org-setup", "prod/2-networking", "prod/3-gke-dev"]


VARS = 'variable "size" {\n  type = string\n}\n'


@pytest.mark.parametrize(
    ("files", "document"),
    [
        (
            {
                "main.tf": GCS + VARS,
                "env/dev.tfvars": 'size = "s"\n',
                "env/prod.tfvars": 'size = "l"\n',
                "env/dev.tfbackend": BUCKET,
                "env/prod.tfbackend": BUCKET,
            },
            {
                "stacks": {
                    "main": {
                        "path": ".",
                        "backend": {"config_file": "env/{environment}.tfbackend"},
                        "environments": {
                            "dev": {"var_files": ["env/dev.tfvars"]},
                            "prod": {"var_files": ["env/prod.tfvars"]},
                        },
                    }
                }
            },
        ),
        (
            {
                "app/main.tf": OWN + VARS,
                "app/dev.tfvars": 'size = "s"\n',
                "app/prod.tfvars": 'size = "l"\n',
                "app/backend-dev.hcl": 'prefix = "app/dev"\n',
                "app/backend-prod.hcl": 'prefix = "app/prod"\n',
            },
            {
                "stacks": {
                    "app": {
                        "path": "app",
                        "backend": {"config_file": "{path}/backend-{environment}.hcl"},
                        "environments": {
                            "dev": {"var_files": ["app/dev.tfvars"]},
                            "prod": {"var_files": ["app/prod.tfvars"]},
                        },
                    }
                }
            },
        ),
        (
            {
                "main.tf": OWN + "locals {\n  name = terraform.workspace\n}\n" + VARS,
                "dev.tfvars": 'size = "s"\n',
                "prod.tfvars": 'size = "l"\n',
            },
            {
                "stacks": {
                    "main": {
                        "path": ".",
                        "environments": {
                            "dev": {"workspace": "dev", "var_files": ["dev.tfvars"]},
                            "prod": {"workspace": "prod", "var_files": ["prod.tfvars"]},
                        },
                    }
                }
            },
        ),
        (
            {
                "main.tf": OWN
                + 'locals {\n  sizes = {\n    staging = "s"\n    prod = "l"\n  }\n'
                + "  s = local.sizes[terraform.workspace]\n}\n"
            },
            {
                "stacks": {
                    "main": {
                        "path": ".",
                        "environments": {"staging": {"workspace": "staging"}, "prod": {"workspace": "prod"}},
                    }
                }
            },
        ),
        (
            {
                "environments/dev/net/main.tf": GCS,
                "environments/prod/net/main.tf": GCS,
                "environments/dev/backend.hcl": BUCKET,
                "environments/prod/backend.hcl": BUCKET,
            },
            {
                "roots": {"envs": "environments"},
                "backend": {"config_file": "environments/{environment}/backend.hcl"},
            },
        ),
        (
            {
                f"environments/{env}/net/{name}": text
                for env in ("dev", "prod")
                for name, text in (("main.tf", S3), ("backend.hcl", 'bucket = "b"\nkey = "k"\n'))
            },
            {"roots": {"envs": "environments"}, "backend": {"config_file": "{path}/backend.hcl"}},
        ),
        (
            {
                "environments/dev/net/main.tf": OWN + VARS,
                "environments/prod/net/main.tf": OWN + VARS,
                "vars/dev.tfvars": 'size = "s"\n',
                "vars/prod.tfvars": 'size = "l"\n',
            },
            {
                "roots": {"envs": "environments"},
                "environments": {
                    "dev": {"var_files": ["vars/dev.tfvars"]},
                    "prod": {"var_files": ["vars/prod.tfvars"]},
                },
            },
        ),
    ],
)
def test_files_and_workspaces(files: dict[str, str], document: object) -> None:
    layout = only(files)
    assert layout_document(layout.config) == document
    assert layout.lacking == ()


def test_a_flat_root_needs_one_answer() -> None:
    files = {"main.tf": OWN, "modules/x/main.tf": PLAIN}
    assert look(files).question == "the top folder: nothing says which environment it is."
    assert list(only(files, "prod").stacks) == ["prod/main"]


def test_workspaces_that_nothing_names_need_one_answer() -> None:
    files = {"main.tf": OWN + "locals {\n  name = terraform.workspace\n}\n"}
    assert "which workspaces it has" in look(files).question
    layout = only(files, "blue", "green")
    assert {id_: stack.workspace for id_, stack in layout.stacks.items()} == {
        "blue/main": "blue",
        "green/main": "green",
    }


def test_two_candidates_are_both_named() -> None:
    folders = {f"{top}/{env}/a/main.tf": OWN for top in ("environments", "live") for env in ("dev", "prod")}
    paths = {f"{team}/{env}/a/main.tf": OWN for team in ("dev", "qa") for env in ("staging", "prod")}
    assert [layout_document(each.config) for each in look(folders).layouts] == [
        {"roots": {"envs": "environments"}},
        {"roots": {"envs": "live"}},
    ]
    assert [layout.environments for layout in look(paths).layouts] == [("dev", "qa"), ("staging", "prod")]


def test_a_bucket_is_never_made_up() -> None:
    files = {f"environments/{env}/a/main.tf": GCS for env in ("dev", "prod")}
    layout = only(files)
    assert layout.needs_bucket
    assert layout.lacking == ("dev/a", "prod/a")
    assert layout.config.backend is None
    assert only(files, bucket="acme-state").lacking == ()


@pytest.mark.parametrize(
    "text", ['terraform {\n  source = "x"\n}\n', 'region = "eu"\n', "", "bucket =\n", 'bucket = "b"\nx {}\n']
)
def test_a_file_that_is_no_backend_file_is_not_taken_for_one(text: str) -> None:
    files = {"environments/dev/a/main.tf": GCS, "environments/dev/a/terragrunt.hcl": text}
    assert only(files).config.backend is None


@pytest.mark.parametrize(
    ("path", "environment"),
    [
        ("dev.tfvars", "dev"),
        ("env/prod.tfvars", "prod"),
        ("backend-staging.hcl", "staging"),
        ("prod.gcs.tfbackend", "prod"),
        ("envs/qa/terraform.tfvars", "qa"),
        ("non-production.tfvars", "non-production"),
        ("common.tfvars", ""),
        ("developer.tfvars", ""),
    ],
)
def test_the_environment_of_a_file(path: str, environment: str) -> None:
    assert environment_in(path) == environment


def test_nothing_at_all_is_a_question() -> None:
    assert look({"README.md": ""}).question == "There is no root module."
    assert layout_document(only({"README.md": ""}, "dev").config) == {"environments": {"dev": {}}}


def test_a_thousand_root_modules() -> None:
    files = {f"environments/{env}/s{n}/main.tf": OWN for env in ("dev", "prod") for n in range(500)}
    assert len(only(files).stacks) == 1000


@pytest.mark.parametrize("files", [FOUNDATION, LIVE, {"dev/main.tf": OWN, "prod/main.tf": OWN}])
def test_the_written_settings_find_the_same_stacks(files: dict[str, str]) -> None:
    layout = only(files)
    lines = list(render_lines(layout_document(layout.config), layout.reasons))
    assert all("  # " in line for line in lines), lines
    text = "version: 1\n" + "\n".join(lines) + "\n"
    assert load_text(text).stacks == layout.config.stacks
    assert {i: s.path for i, s in stacks_of(files, text).stacks.items()} == {
        i: s.path for i, s in layout.stacks.items()
    }
