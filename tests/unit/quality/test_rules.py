"""The linter's own rules, one table of cases each."""

from __future__ import annotations

import pytest

from orchestrator.masking import Masker
from orchestrator.quality.code_folders import CodeFolder, Kind
from orchestrator.quality.rules import check_file, check_required_providers, is_secret
from orchestrator.repository.hcl import String, read


def rule_findings(code: str, kind: Kind = "module") -> list[tuple[str, int | None]]:
    """Rule and line of everything that the rules find in a file."""
    return [
        (finding.code, finding.line)
        for finding in check_file(CodeFolder("m", kind), "m/main.tf", read("main.tf", code.encode()).root)
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('variable "a" {\n  type = bool\n}', [("no-description", 1)]),
        ('variable "a" {\n  description = ""\n  type = bool\n}', [("no-description", 1)]),
        ('variable "a" {\n  description = "A."\n}', [("no-type", 1)]),
        ('variable "a" {\n  description = "A."\n  type = string\n}', [("no-validation", 1)]),
        ('variable "a" {\n  description = "A."\n  type = map(string)\n}', []),
        ('output "a" {\n  value = 1\n}', [("no-description", 1)]),
        ('output "a" {\n  description = "A."\n  value = 1\n}', []),
    ],
)
def test_what_variables_and_outputs_declare(code: str, expected: list[tuple[str, int]]) -> None:
    assert rule_findings(code) == expected
    assert rule_findings(code, "example") == []


def test_a_root_s_own_variables_need_no_validation() -> None:
    assert rule_findings('variable "a" {\n  description = "A."\n  type = string\n}', "root") == []


@pytest.mark.parametrize(
    ("arguments", "pinned"),
    [
        ('source = "../network"', True),
        ('source = "terraform-google-modules/network/google"', False),
        ('source = "terraform-google-modules/network/google"\n  version = "9.1.0"', True),
        ('source = "git::https://github.com/acme/x.git?ref=v1.2.3"', True),
        ('source = "git::https://github.com/acme/x.git?ref=main"', False),
        ('source = "github.com/acme/x"', False),
        ('source = "https://example.com/x.zip"', False),
        ("source = var.source", True),
    ],
)
def test_modules_from_elsewhere_are_pinned(arguments: str, pinned: bool) -> None:
    assert rule_findings(f'module "m" {{\n  {arguments}\n}}') == ([] if pinned else [("unpinned-module", 2)])


def test_required_providers_have_a_version() -> None:
    text = "terraform {\n  required_providers {\n    google = %s\n  }\n}\n"

    assert rule_findings(text % '{ source = "hashicorp/google" }') == [("unpinned-provider", 3)]
    assert rule_findings(text % '{ source = "hashicorp/google", version = "~> 7.0" }') == []
    assert rule_findings(text % '"~> 7.0"') == []


def test_used_providers_are_required() -> None:
    required = read("a.tf", b'terraform {\n  required_providers {\n    google = "~> 7.0"\n  }\n}\n').root
    code = b"""
resource "google_x" "a" {}
resource "random_id" "b" {}
resource "x" "c" {
  provider = google.west
}
resource "terraform_data" "d" {}
"""
    findings = list(
        check_required_providers(
            CodeFolder("m", "module"), [("a.tf", required), ("b.tf", read("b.tf", code).root)]
        )
    )

    assert [(finding.code, finding.file, finding.line) for finding in findings] == [
        ("unpinned-provider", "b.tf", 3)
    ]
    assert "'random'" in findings[0].message


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('resource "r" "x" {\n  member = "allUsers"\n}', [("public-principal", 2)]),
        ('module "m" {\n  source = "../x"\n  who = ["allAuthenticatedUsers"]\n}', [("public-principal", 3)]),
        ('locals {\n  role = "roles/editor"\n}', [("basic-role", 2)]),
        (
            'data "google_iam_policy" "p" {\n  binding {\n    role = "roles/owner"\n  }\n}',
            [("basic-role", 3)],
        ),
        ('resource "r" "x" {\n  role = "roles/run.viewer"\n}', []),
        ('resource "r" "x" {\n  note = "never allUsers"\n}', []),
    ],
)
def test_nobody_unknown_gets_a_right(code: str, expected: list[tuple[str, int]]) -> None:
    assert rule_findings(code) == expected


def test_a_validation_may_speak_of_what_it_refuses() -> None:
    code = """
variable "m" {
  description = "M."
  type        = set(string)
  default     = [%s]
  validation {
    condition     = !contains(var.m, "allUsers")
    error_message = "No."
  }
}
"""
    assert rule_findings(code % '"user:a@example.com"') == []
    assert rule_findings(code % '"allUsers"') == [("public-principal", 5)]


@pytest.mark.parametrize(
    ("path", "text", "secret"),
    [
        (("db_password",), "hunter2", True),
        (("api_key",), "k", True),
        (("settings", "token"), "abc", True),
        (("db_password",), "", False),
        (("password_secret_id",), "db-password", False),
        (("secrets", "DB", "secret"), "db-password", False),
        (("secrets", "DB", "secret"), "xK9+vQ2/mm", True),
        (("token",), "projects/p/secrets/token/versions/3", False),
        (("region",), "europe-west1", False),
        (("note",), "ghp_" + "a1B2" * 9, True),
        (("url",), "postgres://app:hunter2@db/app", True),
    ],
)
def test_a_secret_is_known_by_its_name_or_its_looks(path: tuple[str, ...], text: str, secret: bool) -> None:
    assert is_secret(String(text, 1, path), Masker()) is secret
