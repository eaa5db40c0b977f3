"""What doctor says about CODEOWNERS and about whom Google trusts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.forge.github.doctor.repository_files import check_identity, check_owners
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo

OWNED = "* @acme/all\n"
MODULE = """
resource "google_iam_workload_identity_pool_provider" "this" {
  attribute_condition = CONDITION
  attribute_mapping = {
    "google.subject" = "assertion.sub"
    MAPPED
  }
  oidc {
    issuer_uri = "ISSUER"
  }
}
"""
GOOD = "\"assertion.repository_owner_id == '1' && assertion.repository_id == '2'\""


def module(
    condition: str = GOOD,
    mapped: str = """"attribute.infra" = "has(assertion.x) ? 'attest' : 'none'\"""",
    issuer: str = "https://token.actions.githubusercontent.com",
) -> str:
    return MODULE.replace("CONDITION", condition).replace("MAPPED", mapped).replace("ISSUER", issuer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OWNED, "ok"),
        ("/infra.yaml @a\n/.github/ @a\n/policies/ @a\n", "ok"),
        ("/infra.yaml @a\n/.github/workflows/ @a\n", "nobody owns .github/CODEOWNERS, policies/"),
        ("* @a\n/policies/\n", "nobody owns policies/"),
        ("* a\n", "a is not an owner"),
    ],
)
def test_owners(make_repo: MakeRepo, text: str, expected: str) -> None:
    files = {"infra.yaml": "version: 1\n", ".github/CODEOWNERS": text, "policies/a.rego": "package a\n"}
    checks = list(check_owners(load(make_repo(files).root)))
    if expected == "ok":
        assert [check.status for check in checks] == ["ok"]
    else:
        assert checks[0].status == "error"
        assert expected in checks[0].message
        assert checks[0].file == ".github/CODEOWNERS"


def test_a_folder_of_policies_that_does_not_exist_needs_no_owner(make_repo: MakeRepo) -> None:
    files = {"infra.yaml": "version: 1\n", ".github/CODEOWNERS": "/infra.yaml @a\n/.github/ @a\n"}
    (check,) = check_owners(load(make_repo(files).root))
    assert check.status == "ok"
    assert "policies" not in check.message


def test_no_owners_at_all(make_repo: MakeRepo) -> None:
    (check,) = check_owners(load(make_repo({"infra.yaml": "version: 1\n"}).root))
    assert (check.status, check.message) == ("warning", "there is none")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (module(), []),
        (module("local.condition"), ["error"]),
        (module("\"assertion.repository == 'acme/infra'\""), ["error"]),
        (module("\"assertion.repository_owner_id == '1'\""), ["error"]),
        (module(mapped='"attribute.repository" = "assertion.repository"'), ["warning"]),
        (module(mapped=""""attribute.infra" = "has(assertion.x) ? 'plan' : 'none'\""""), ["error"]),
        (module("null", issuer="https://gitlab.example"), []),
        ('resource "google_project" "x" {}\n# google_iam_workload_identity_pool_provider\n', []),
    ],
)
@pytest.mark.parametrize("folder", ["infra/modules/identity", "infra/bootstrap", "infra/envs/dev/identity"])
def test_identity(make_repo: MakeRepo, text: str, expected: list[str], folder: str) -> None:
    repo = make_repo({"infra.yaml": "version: 1\n", f"{folder}/main.tf": text})
    checks = [check for check in check_identity(load(repo.root)) if check.status != "ok"]
    assert [check.status for check in checks] == expected
    assert all(check.file == f"{folder}/main.tf" and check.line for check in checks)


def test_a_provider_without_a_condition(make_repo: MakeRepo) -> None:
    text = "".join(line for line in module().splitlines(keepends=True) if "condition" not in line)
    repo = make_repo({"infra.yaml": "version: 1\n", "infra/modules/a/main.tf": text})
    (check,) = check_identity(load(repo.root))
    assert "is missing" in check.message
    assert check.line == 1


def test_without_an_account_that_attests_nothing_can_be_approved(make_repo: MakeRepo) -> None:
    accounts = "environments: {dev: {accounts: {plan: dev-plan@p.iam.gserviceaccount.com}}}\n"
    for account_settings, expected in (
        ("", ["error"]),
        ("accounts: {attest: a@p.iam.gserviceaccount.com}\n", ["ok"]),
    ):
        repo = make_repo({"infra.yaml": accounts + account_settings, "infra/modules/a/main.tf": module()})
        checks = list(check_identity(load(repo.root)))
        assert [check.status for check in checks] == expected
        assert all("no account that attests" in check.message for check in checks if check.status == "error")


def test_the_module_that_ships_is_fine(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra.yaml": "version: 1\n"})
    source = Path(__file__).parents[5] / "infra" / "modules" / "github-identity"
    shutil.copytree(source, repo.root / "infra" / "modules" / "github-identity")
    (check,) = check_identity(load(repo.root))
    assert check.status == "ok"
