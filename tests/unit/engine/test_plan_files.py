"""Which plan files are read without Terraform, by a client that answers from memory."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.engine.plan_files import PlanFiles
from orchestrator.engine.provider_schemas import ProviderSchemas, computed_only
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import UnprovenPlanError
from orchestrator.terraform.binary import Binary, Flavour
from orchestrator.terraform.client import Workdir

RECORDED = Path(__file__).parents[2] / "data" / "plan_files" / "1.11.4"
AWS = "registry.terraform.io/hashicorp/aws"
SCHEMAS = json.loads(gzip.decompress((RECORDED / "aws.schemas.json.gz").read_bytes()))


@dataclass
class RecordedClient:
    """Shows the recorded plans, and their schemas; counts both."""

    root_folder: Path
    version: str = "1.11.4"
    flavour: Flavour = "terraform"
    commands: list[str] = field(default_factory=list)

    def binary_of(self, work: Workdir) -> Binary:
        return Binary(("terraform",), self.version, self.flavour, "PATH", Path("terraform"))

    def root(self, work: Workdir) -> Path:
        return self.root_folder

    def show_json(self, work: Workdir, plan_file: Path) -> bytes:
        self.commands.append("show")
        return gzip.decompress(plan_file.with_suffix(".json.gz").read_bytes())

    def providers_schema(self, work: Workdir) -> bytes:
        self.commands.append("schema")
        return json.dumps({"provider_schemas": SCHEMAS}).encode()


@dataclass
class Reading:
    """One run that reads plan files, with its cache in `folder`."""

    folder: Path
    client: RecordedClient
    env: dict[str, str] = field(default_factory=dict)
    counted: list[str] = field(default_factory=list)
    trusts_cache: bool = True

    def __post_init__(self) -> None:
        (self.folder / ".terraform.lock.hcl").write_text("provider")
        self.files = PlanFiles(
            ProviderSchemas(self.folder, trusts_cache=self.trusts_cache), self.counted.append
        )

    def read(self, name: str) -> Any:
        terraform = cast(TerraformRunner, type("Runner", (), {"client": self.client}))
        work = Workdir(self.folder, self.folder, self.folder, {"HOME": str(self.folder), **self.env})
        return self.files.read(terraform, work, RECORDED / f"{name}.tfplan")

    def read_all(self, *names: str) -> list[str]:
        """The commands that reading these plans ran."""
        self.client.commands.clear()
        for name in names:
            self.read(name)
        return self.client.commands


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path, RecordedClient(tmp_path))


def test_a_plan_of_built_in_resources_needs_no_terraform(reading: Reading) -> None:
    plan_json = reading.read("update")
    assert reading.client.commands == []
    assert plan_json.parts["resource_changes"]
    assert reading.counted == ["plan files read without Terraform"]
    assert plan_json.whole()["planned_values"]
    assert reading.client.commands == ["show"]


def test_without_short_cuts_terraform_reads_every_plan(reading: Reading) -> None:
    reading.files = PlanFiles(count=reading.counted.append)
    assert reading.read("update").parts["planned_values"]
    assert reading.client.commands == ["show"]
    assert reading.counted == ["plan files read by `show -json`, since no short cut is taken"]


@pytest.mark.parametrize(("flavour", "version"), [("tofu", "1.11.4"), ("terraform", "1.12.0")])
def test_unproven_programs_read_their_own_plans(reading: Reading, flavour: Flavour, version: str) -> None:
    reading.client.flavour, reading.client.version = flavour, version
    assert reading.read_all("update") == ["show"]
    assert version in reading.counted[0]


def test_schemas_are_loaded_when_a_second_plan_needs_them(reading: Reading, tmp_path: Path) -> None:
    assert reading.read_all("aws", "aws", "aws") == ["show", "schema"]
    assert Reading(tmp_path, reading.client).read_all("aws", "aws") == []


def test_another_lock_file_has_other_schemas(reading: Reading, tmp_path: Path) -> None:
    reading.read_all("aws", "aws")
    later = Reading(tmp_path, reading.client)
    (tmp_path / ".terraform.lock.hcl").write_text("another version")
    assert later.read_all("aws") == ["show"]


def test_in_ci_a_file_of_the_checkout_is_no_schema(reading: Reading, tmp_path: Path) -> None:
    reading.read_all("aws", "aws")
    assert Reading(tmp_path, reading.client, trusts_cache=False).read_all("aws") == ["show"]


def test_a_file_that_git_can_have_written_is_no_schema(reading: Reading, tmp_path: Path) -> None:
    reading.read_all("aws", "aws")
    (path,) = (tmp_path / "provider-schemas").iterdir()
    assert Reading(tmp_path, reading.client).read_all("aws") == []
    path.chmod(0o644)
    assert Reading(tmp_path, reading.client).read_all("aws") == ["show"]
    path.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o600)
    path.symlink_to(tmp_path / "elsewhere")
    assert Reading(tmp_path, reading.client).read_all("aws") == ["show"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"' + AWS + '": []}'])
def test_a_damaged_cache_costs_one_question(reading: Reading, tmp_path: Path, content: str) -> None:
    reading.read_all("aws", "aws")
    (path,) = (tmp_path / "provider-schemas").iterdir()
    path.write_text(content)
    assert set(Reading(tmp_path, reading.client).read_all("aws", "aws")) <= {"show", "schema"}


@pytest.mark.parametrize("variable", ["TF_REATTACH_PROVIDERS", "TF_CLI_CONFIG_FILE"])
def test_providers_under_development_are_never_known(tmp_path: Path, variable: str) -> None:
    settings = tmp_path / "settings.tfrc"
    settings.write_text('provider_installation {\n  dev_overrides {\n    "hashicorp/aws" = "/x"\n  }\n}\n')
    value = json.dumps({AWS: {}}) if variable == "TF_REATTACH_PROVIDERS" else str(settings)
    reading = Reading(tmp_path, RecordedClient(tmp_path), {variable: value})
    assert reading.read_all("aws", "aws", "aws") == ["show"] * 3


def test_text_for_people_is_not_stored(reading: Reading, tmp_path: Path) -> None:
    """But every name is, also one that is a word of schemas."""
    reading.read_all("aws", "aws")
    (path,) = (tmp_path / "provider-schemas").iterdir()
    text = path.read_text()
    assert '"description_kind' not in text
    resource_schemas = json.loads(text)[AWS]["resource_schemas"]
    for name, schema in SCHEMAS[AWS]["resource_schemas"].items():
        assert resource_schemas[name]["block"]["attributes"].keys() == schema["block"]["attributes"].keys()
        assert list(computed_only(resource_schemas[name]["block"])) == list(computed_only(schema["block"]))


def test_a_type_that_the_schema_lacks_is_left_to_terraform(reading: Reading) -> None:
    schemas = ProviderSchemas(reading.folder)
    terraform = cast(TerraformRunner, type("Runner", (), {"client": reading.client}))
    work = Workdir(reading.folder, reading.folder, reading.folder, {"HOME": str(reading.folder)})
    with pytest.raises(UnprovenPlanError, match="not known yet"):
        schemas.provider(terraform, work, AWS)
    with pytest.raises(UnprovenPlanError, match="the schema of example"):
        schemas.provider(terraform, work, "example")
    with pytest.raises(UnprovenPlanError, match="the schema of aws_none"):
        schemas.provider(terraform, work, AWS).find("managed", "aws_none")
