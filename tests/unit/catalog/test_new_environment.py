"""`infra new environment`: what is copied, what is asked, and what is refused. No Terraform runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.repo import Repo
from tests.support.schemas import check_schema

SETTINGS = """\
# The settings of the team.
backend: {gcs: {bucket: acme-state, prefix: "{environment}/{stack}"}}
environments: # in promotion order
  dev: {}
  staging:
    # A person approves.
    apply: ci
    accounts: {plan: plan@staging.example}
  prod:
    protected: true
test: {required: true}
"""
THREE = "environments: {dev: {}, staging: {}, prod: {}}\n"
VALUES = """\
environment = "{name}"
project_id  = "acme-{name}"
region      = "europe-west1"
size        = {size}
zones       = ["{name}-a"]
"""
BACKEND = 'terraform {\n  backend "gcs" {\n    bucket = "acme-state"\n    prefix = "%s"\n  }\n}\n'
MAIN = 'resource "terraform_data" "this" {\n  input = "dev staging stagingx /staging/data"\n}\n'


def stack(name: str, size: int) -> dict[str, str]:
    folder = f"infra/envs/{name}/net"
    return {f"{folder}/main.tf": MAIN, f"{folder}/terraform.tfvars": VALUES.format(name=name, size=size)}


FILES = {"infra.yaml": SETTINGS, **stack("dev", 1), **stack("staging", 2), **stack("prod", 3)}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def read(repo: Repo, path: str) -> str:
    return (repo.root / path).read_text()


def test_an_environment_is_copied_with_its_name_and_the_given_values(repo: Repo, infra: Infra) -> None:
    words = ("new", "environment", "qa", "--from", "staging", "--after", "dev", "--data", "net/size=9")
    document = infra(*words, "--json", code=0).document
    check_schema(document, "commands")
    values = read(repo, "infra/envs/qa/net/terraform.tfvars")
    assert values == VALUES.format(name="qa", size=9)
    assert 'input = "dev qa stagingx /qa/data"' in read(repo, "infra/envs/qa/net/main.tf")
    assert document["to_check"] == ["net/terraform.tfvars: zones"]
    assert {(value["variable"], value["value"]) for value in document["values"]} == {
        ("environment", '"qa"'),
        ("project_id", '"acme-qa"'),
        ("size", "9"),
    }
    assert list(yaml.safe_load(read(repo, "infra.yaml"))["environments"]) == ["dev", "qa", "staging", "prod"]
    assert [entry["id"] for entry in infra("list", "--json", code=0).document["stacks"]] == [
        "dev/net",
        "qa/net",
        "staging/net",
        "prod/net",
    ]


def test_a_top_level_domain_is_no_environment(repo: Repo, infra: Infra) -> None:
    text = (
        'image = "europe-docker.pkg.dev/acme-dev/apps/web"\nhost = "api.dev.acme.dev"\nfile = "/dev/null"\n'
    )
    repo.write({"infra/envs/dev/net/values.auto.tfvars": text})
    infra("new", "environment", "qa", "--from", "dev", code=0)
    expected = text.replace("acme-dev", "acme-qa").replace("api.dev", "api.qa")
    assert read(repo, "infra/envs/qa/net/values.auto.tfvars") == expected


def test_settings_are_copied_without_accounts_and_comments_stay(repo: Repo, infra: Infra) -> None:
    """With the accounts, jobs of the new environment could reach the old one."""
    infra("new", "environment", "qa", "--from", "staging", code=0)
    text = read(repo, "infra.yaml")
    assert text == SETTINGS.replace("  prod:\n", "  qa:\n    apply: ci\n  prod:\n")


def test_a_value_that_nobody_gave_is_named_where_environments_differ(infra: Infra) -> None:
    """Such as a range of addresses, which would overlap with that of the copied environment."""
    document = infra("new", "environment", "qa", "--from", "staging", "--json", code=0).document
    assert document["to_check"] == ["net/terraform.tfvars: size", "net/terraform.tfvars: zones"]


def test_values_in_json_are_given_and_named_too(make_repo: MakeRepo) -> None:
    path = "infra/envs/{}/net/more.auto.tfvars.json"
    text = '{{\r\n  "owner": "{}",\r\n  "count": {},\r\n  "cost": 0.50,\r\n  "note": "{}"\r\n}}\r\n'
    broken = "infra/envs/staging/net/broken.auto.tfvars.json"
    repo = make_repo(
        {
            **FILES,
            **{
                path.format(name): text.format(name, count, count)
                for name, count in (("dev", 1), ("prod", 2))
            },
            path.format("staging"): text.format("staging", 3, "of staging"),
            broken: "[staging\n",
        }
    )
    infra = Infra(repo.root, {})
    answers = ("--data", 'note=ä ${x} "y"', "--data", "net/size=2")
    words = ("new", "environment", "qa", "--from", "staging", *answers, "--json")
    assert "not a number" in infra(*words, "--data", "count=007", code=3).document["errors"][0]["message"]
    document = infra(*words, code=0).document
    assert document["to_check"] == ["net/more.auto.tfvars.json: count", "net/terraform.tfvars: zones"]
    content = (repo.root / path.format("qa")).read_bytes()
    assert json.loads(content) == {"owner": "qa", "count": 3, "cost": 0.5, "note": 'ä ${x} "y"'}
    assert content.count(b"\r\n") == content.count(b"\n") == 6
    assert read(repo, broken.replace("staging", "qa")) == "[qa\n"


def test_links_are_copied_as_links(repo: Repo, infra: Infra) -> None:
    folder = repo.root / "infra/envs/staging/net"
    repo.write({"infra/shared.tf": "# Of all.\n", "infra/envs/staging/common.tf": "# Of staging.\n"})
    (folder / "shared.tf").symlink_to("../../../shared.tf")
    (folder / "common.tf").symlink_to("../../staging/common.tf")
    repo.commit(message="links")
    document = infra("new", "environment", "qa", "--from", "staging", "--json", code=0).document
    copy = repo.root / "infra/envs/qa/net"
    assert "infra/envs/qa/net/shared.tf" in document["files"]
    assert (copy / "shared.tf").is_symlink()
    assert (copy / "shared.tf").resolve() == repo.root / "infra/shared.tf"
    assert (copy / "common.tf").resolve() == repo.root / "infra/envs/qa/common.tf"
    assert (copy / "common.tf").read_text() == "# Of qa.\n"


def test_a_link_out_of_the_project_is_not_copied(repo: Repo, infra: Infra) -> None:
    (repo.root / "infra/envs/staging/net/notes.txt").symlink_to("/etc/hostname")
    ran = infra("new", "environment", "qa", "--from", "staging", code=3)
    assert "notes.txt is a link that leads out of the project" in ran.err
    assert not (repo.root / "infra/envs/qa").exists()


def test_a_copy_reads_no_variable_file_of_the_old_environment(make_repo: MakeRepo) -> None:
    folder = "infra/envs/{}/{}.tfvars"
    files = {folder.format(name, name): f"zone = {count}\n" for count, name in enumerate(("dev", "staging"))}
    settings = SETTINGS.replace(
        "    apply: ci\n", f"    var_files: [{folder.format('staging', 'staging')}]\n"
    )
    repo = make_repo({**FILES, **files, "infra.yaml": settings})
    words = ("new", "environment", "qa", "--from", "staging", "--data", "size=5")
    document = Infra(repo.root, {})(*words, "--json", code=0).document
    copied = yaml.safe_load(read(repo, "infra.yaml"))["environments"]["qa"]["var_files"]
    assert copied == [folder.format("qa", "qa")]
    assert read(repo, copied[0]) == "zone = 1\n"
    assert document["to_check"] == ["net/terraform.tfvars: zones", "staging.tfvars: zone"]


def test_line_ends_of_the_settings_stay(make_repo: MakeRepo) -> None:
    repo = make_repo({**FILES, "infra.yaml": SETTINGS.replace("\n", "\r\n")})
    Infra(repo.root, {})("new", "environment", "qa", "--from", "staging", code=0)
    expected = SETTINGS.replace("  prod:\n", "  qa:\n    apply: ci\n  prod:\n").replace("\n", "\r\n")
    assert (repo.root / "infra.yaml").read_bytes() == expected.encode()


def test_a_copy_of_a_protected_environment_is_protected(make_repo: MakeRepo) -> None:
    repo = make_repo({**FILES, "infra.yaml": THREE})
    Infra(repo.root, {})("new", "environment", "live", "--from", "prod", "--after", "dev", code=0)
    environments = yaml.safe_load(read(repo, "infra.yaml"))["environments"]
    assert environments == {"dev": {}, "live": {"protected": True}, "staging": {}, "prod": {}}


@pytest.mark.parametrize(
    ("settings", "words", "message"),
    [
        (None, ("prod", "--from", "staging"), "exists already"),
        (None, ("QA", "--from", "staging"), "cannot be an environment's name"),
        (None, ("../x", "--from", "staging"), "cannot be an environment's name"),
        (None, ("qa", "--from", "stagin"), "Did you mean staging?"),
        (None, ("qa", "--from", "staging", "--after", "x"), "There is no environment 'x'"),
        (None, ("qa", "--from", "staging", "--data", "sise=1"), "single value"),
        (None, ("qa", "--from", "staging", "--data", "zones=1"), "single value"),
        (None, ("qa", "--from", "staging", "--data", "size=a b"), "not a number"),
        (None, ("qa", "--from", "staging", "--data", "region=a\nb"), "cannot be a value"),
        (
            "environments: {dev: {}, staging: {}, prod: {}}\n",
            ("qa", "--from", "prod"),
            "no longer be protected",
        ),
        ("environments: {dev: {}, prod: {}}\n", ("qa", "--from", "staging"), "does not list staging"),
        ("", ("qa", "--from", "staging"), "lists no environments"),
        ("", ("qa", "--from", "staging"), "{dev: {}, staging: {}, qa: {}, prod: {}}"),
        (
            "environments: {dev: &same {}, staging: *same, prod: {protected: true}}\n",
            ("qa", "--from", "dev", "--after", "staging"),
            "cannot be edited here",
        ),
    ],
)
def test_what_is_wrong_is_reported_and_nothing_is_written(
    make_repo: MakeRepo, settings: str | None, words: tuple[str, ...], message: str
) -> None:
    repo = make_repo({**FILES, **({} if settings is None else {"infra.yaml": settings})})
    ran = Infra(repo.root, {})("new", "environment", *words, code=3)
    assert message in ran.err
    assert repo.status == ""


def test_two_environments_never_share_a_state(make_repo: MakeRepo) -> None:
    """The place in the code names no environment, so the copy would destroy what the old one made."""
    repo = make_repo({**FILES, "infra/envs/staging/net/backend.tf": BACKEND % "shared/net"})
    ran = Infra(repo.root, {})("new", "environment", "qa", "--from", "staging", code=3)
    assert "qa/net would have the state of staging/net" in ran.err
    assert repo.status == ""
    (repo.root / "infra/envs/staging/net/backend.tf").write_text(BACKEND % "staging/net")
    Infra(repo.root, {})("new", "environment", "qa", "--from", "staging", code=0)


def test_every_stack_is_copied_or_none(make_repo: MakeRepo) -> None:
    repo = make_repo({**FILES, "infra.yaml": SETTINGS + "exclude: [infra/envs/qa/net]\n"})
    ran = Infra(repo.root, {})("new", "environment", "qa", "--from", "staging", code=3)
    assert "net would not be in qa" in ran.err
    assert repo.status == ""


def test_a_folder_that_is_there_is_not_filled(repo: Repo, infra: Infra) -> None:
    repo.write({"infra/envs/qa/README.md": "Not yet.\n"})
    assert "exists already" in infra("new", "environment", "qa", "--from", "staging", code=3).err


def test_a_string_stays_a_string(repo: Repo, infra: Infra) -> None:
    infra("new", "environment", "qa", "--from", "staging", "--data", 'region=" } ${file("x")}', code=0)
    assert 'region      = "\\" } $${file(\\"x\\")}"' in read(repo, "infra/envs/qa/net/terraform.tfvars")


def test_nothing_is_written_through_a_link(repo: Repo, infra: Infra, tmp_path: Path) -> None:
    (repo.root / "infra/envs/qa").symlink_to(tmp_path)
    ran = infra("new", "environment", "qa", "--from", "staging")
    assert ran.code != 0
    assert not list(tmp_path.glob("net*"))
