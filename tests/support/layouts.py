"""The eight layouts of docs/layouts.md, as trees of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VARIABLE = 'variable "size" {\n  type = string\n}\nresource "terraform_data" "x" {\n  input = var.size\n}\n'
RESOURCE = 'resource "terraform_data" "x" {}\n'
MODULE = 'module "net" {{\n  source = "{}"\n}}\n'


def local(path: str = "state") -> str:
    """A root that keeps its state beside its code."""
    return f'terraform {{\n  backend "local" {{\n    path = "{path}"\n  }}\n}}\n'


@dataclass(frozen=True)
class ExampleLayout:
    """A section of docs/layouts.md: its heading, its files and links, and what `infra init` is told.

    `environments` are the answers that the files do not give, `stacks` the ids that are found.
    """

    heading: str
    files: Mapping[str, str]
    stacks: tuple[str, ...]
    environments: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        """The one command."""
        return ("init", *(word for name in self.environments for word in ("--environment", name)))


EMPTY = 'terraform {\n  backend "local" {}\n}\n'
ENVS = ("dev", "prod")
LAYOUTS = (
    ExampleLayout(
        "A folder for each environment",
        {f"environments/{env}/network/main.tf": local() + RESOURCE for env in ENVS},
        ("dev/network", "prod/network"),
    ),
    ExampleLayout(
        "A folder for each environment and region",
        {
            f"live/{env}/{region}/network/main.tf": local() + RESOURCE
            for env in ENVS
            for region in ("europe-west1", "us-east1")
        },
        (
            "dev/europe-west1/network",
            "dev/us-east1/network",
            "prod/europe-west1/network",
            "prod/us-east1/network",
        ),
    ),
    ExampleLayout(
        "One root module with variable and backend files",
        {
            "main.tf": EMPTY + VARIABLE,
            **{f"env/{env}.tfvars": f'size = "{env}"\n' for env in ENVS},
            **{f"env/{env}.tfbackend": f'path = "states/{env}.tfstate"\n' for env in ENVS},
        },
        ("dev/main", "prod/main"),
    ),
    ExampleLayout(
        "One root module with workspaces",
        {
            "main.tf": EMPTY
            + 'resource "terraform_data" "x" {\n  input = terraform.workspace\n}\n'
            + VARIABLE.replace('"x"', '"y"'),
            **{f"{env}.tfvars": f'size = "{env}"\n' for env in ENVS},
        },
        ("dev/main", "prod/main"),
    ),
    ExampleLayout("A flat root module", {"main.tf": local() + RESOURCE}, ("prod/main",), ("prod",)),
    ExampleLayout(
        "Stages first",
        {
            "1-org/envs/shared/main.tf": local() + RESOURCE,
            **{f"2-network/envs/{env}/main.tf": local() + MODULE.format("../../modules/net") for env in ENVS},
            "2-network/modules/net/main.tf": RESOURCE,
        },
        ("shared/1-org", "dev/2-network", "prod/2-network"),
        ("shared", "dev", "prod"),
    ),
    ExampleLayout(
        "Modules beside stacks",
        {
            **{
                f"terraform/{env}/network/main.tf": local() + MODULE.format("../../modules/net")
                for env in ("staging", "prod")
            },
            "terraform/modules/net/main.tf": RESOURCE,
            "terraform/modules/unused/main.tf": RESOURCE,
        },
        ("staging/network", "prod/network"),
    ),
    ExampleLayout(
        "Linked variable files",
        {
            **{f"envs/{env}/network/main.tf": local() + VARIABLE for env in ENVS},
            "envs/common.auto.tfvars": 'size = "small"\n',
        },
        ("dev/network", "prod/network"),
        links={f"envs/{env}/network/common.auto.tfvars": "../../common.auto.tfvars" for env in ENVS},
    ),
)
