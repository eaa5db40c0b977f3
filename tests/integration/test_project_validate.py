"""Every finding of `validate` on a project that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ProjectError
from orchestrator.repository.loading import load
from orchestrator.repository.model import Finding
from orchestrator.repository.validation import validate_project
from tests.conftest import MakeRepo
from tests.support.repo import Repo

GCS = 'terraform {\n  backend "gcs" {}\n}\n'
STATE = 'terraform {\n  backend "gcs" {\n    bucket = "b"\n    prefix = "p"\n  }\n}\n'
GOOGLE = 'resource "google_storage_bucket" "b" {}\n'


def reads(prefix: str) -> str:
    return (
        f'{GCS}data "terraform_remote_state" "x" {{\n  backend = "gcs"\n'
        f'  config = {{\n    bucket = "s"\n    prefix = "{prefix}"\n  }}\n}}\n'
    )


CASES: dict[str, tuple[str, dict[str, str], str]] = {
    "no-stacks": ("error", {"infra/envs/README.md": ""}, "infra/envs holds no Terraform code"),
    "environment-unordered": ("warning", {"infra/envs/blue/a/main.tf": ""}, "environment blue"),
    "environment-empty": (
        "info",
        {"infra.yaml": "environments: {dev: {}, prod: {}}\n", "infra/envs/dev/a/main.tf": ""},
        "prod",
    ),
    "shared-root-backend": (
        "error",
        {
            "infra.yaml": "stacks: {a: {path: infra/roots/a, environments: {dev: {}, prod: {}}}}\n",
            "infra/roots/a/main.tf": "",
        },
        "infra/roots/a serves several environments",
    ),
    "no-root": (
        "error",
        {"infra.yaml": "stacks: {a: {path: infra/roots/a, environments: {dev: {}}}}\n"},
        "infra/roots/a",
    ),
    "backend-settings": ("error", {"infra/envs/dev/a/main.tf": GCS}, "dev/a has an empty gcs backend"),
    "backend-elsewhere": (
        "error",
        {"infra/envs/dev/a/main.tf": 'terraform {\n  cloud {\n    organization = "o"\n  }\n}\n'},
        "dev/a has a `cloud` block",
    ),
    "state-unknown": (
        "warning",
        {"infra/envs/dev/a/main.tf": 'terraform {\n  backend "gcs" {\n    bucket = var.x\n  }\n}\n'},
        "dev/a",
    ),
    "state-shared": (
        "error",
        {"infra/envs/dev/a/main.tf": STATE, "infra/envs/prod/a/main.tf": STATE.replace('"p"', '"/p/"')},
        "dev/a and prod/a share one state: gs://b/p/default.tfstate",
    ),
    "cycle": (
        "error",
        {
            "infra.yaml": "backend: {gcs: {bucket: s}}\nstacks: {dev/a: {depends_on: [dev/c]}}\n",
            "infra/envs/dev/a/main.tf": GCS,
            "infra/envs/dev/b/main.tf": reads("dev/state/a"),
            "infra/envs/dev/c/main.tf": reads("dev/state/b"),
        },
        "dev/a → dev/b → dev/c → dev/a: dev/b reads dev/a (infra/envs/dev/b/main.tf:4); "
        "dev/c reads dev/b (infra/envs/dev/c/main.tf:4); dev/a depends on dev/c (infra.yaml)",
    ),
    "against-promotion": (
        "warning",
        {
            "infra.yaml": "backend: {gcs: {bucket: s}}\n",
            "infra/envs/dev/a/main.tf": reads("prod/state/a"),
            "infra/envs/prod/a/main.tf": GCS,
        },
        "dev/a needs prod/a",
    ),
    "stack-unknown": (
        "warning",
        {"infra.yaml": "stacks: {dev/x: {reads: []}}\n", "infra/envs/dev/a/main.tf": ""},
        "`stacks.dev/x`",
    ),
    "depends-on": (
        "error",
        {"infra.yaml": "stacks: {dev/a: {depends_on: [dev/b]}}\n", "infra/envs/dev/a/main.tf": ""},
        "dev/a depends on dev/b, which is no stack",
    ),
    "lock-file": ("warning", {"infra/envs/dev/a/main.tf": GOOGLE}, "dev/a has no .terraform.lock.hcl"),
    "var-file": (
        "error",
        {"infra.yaml": "environments: {dev: {var_files: [x.tfvars]}}\n", "infra/envs/dev/a/main.tf": ""},
        "x.tfvars",
    ),
    "reads": (
        "warning",
        {"infra.yaml": "stacks: {dev/a: {reads: [infra/x]}}\n", "infra/envs/dev/a/main.tf": ""},
        "infra/x",
    ),
    "module-cycle": (
        "error",
        {
            "infra/envs/dev/a/main.tf": 'module "m" {\n  source = "../../../modules/x"\n}\n',
            "infra/modules/x/main.tf": 'module "m" {\n  source = "../y"\n}\n',
            "infra/modules/y/main.tf": 'module "m" {\n  source = "../x"\n}\n',
        },
        "infra/modules/x → infra/modules/y → infra/modules/x",
    ),
    "module-unused": (
        "info",
        {"infra/envs/dev/a/main.tf": "", "infra/modules/x/main.tf": ""},
        "No stack calls infra/modules/x",
    ),
    "syntax": ("error", {"infra/envs/dev/a/main.tf": "locals {\n"}, "does not parse"),
    "path-unknown": ("warning", {"infra/envs/dev/a/main.tf": "locals {\n  x = file(var.x)\n}\n"}, "`file`"),
    "path-open": (
        "info",
        {"infra/envs/dev/a/main.tf": 'locals {\n  x = file("${path.module}/d/${var.x}")\n}\n'},
        "all of infra/envs/dev/a/d",
    ),
    "path-outside": (
        "warning",
        {"infra/envs/dev/a/main.tf": 'locals {\n  x = file("/etc/passwd")\n}\n'},
        "/etc/passwd",
    ),
    "module-missing": (
        "error",
        {"infra/envs/dev/a/main.tf": 'module "m" {\n  source = "./none"\n}\n'},
        "infra/envs/dev/a/none",
    ),
}


def findings(repo: Repo) -> tuple[Finding, ...]:
    return validate_project(load(repo.root))


@pytest.mark.parametrize("code", CASES)
def test_a_finding(make_repo: MakeRepo, code: str) -> None:
    severity, files, message = CASES[code]
    matches = [finding for finding in findings(make_repo(files)) if finding.code == code]
    assert matches, f"no {code}"
    assert matches[0].severity == severity
    assert message in matches[0].message
    assert matches[0].advice or severity == "info"


def test_a_project_without_fault(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra.yaml": "backend: {gcs: {bucket: s}}\n",
            "infra/envs/dev/a/main.tf": GCS + GOOGLE + 'module "m" {\n  source = "../../../modules/m"\n}\n',
            "infra/envs/dev/a/.terraform.lock.hcl": "",
            "infra/envs/prod/a/main.tf": reads("dev/state/a"),
            "infra/modules/m/main.tf": "",
        }
    )
    assert findings(repo) == ()


def test_a_missing_lock_file_is_an_error_when_required(make_repo: MakeRepo) -> None:
    repo = make_repo({"infra.yaml": "lock_files: required\n", "infra/envs/dev/a/main.tf": GOOGLE})
    assert [(finding.severity, finding.code) for finding in findings(repo)] == [("error", "lock-file")]


def test_built_in_resources_need_no_lock_file(make_repo: MakeRepo) -> None:
    assert findings(make_repo({"infra/envs/dev/a/main.tf": 'resource "terraform_data" "x" {}\n'})) == ()


def test_a_module_that_another_root_calls_is_not_unused(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra/envs/dev/a/main.tf": "",
            "infra/bootstrap/main.tf": 'module "x" {\n  source = "../modules/x"\n}\n',
            "infra/modules/x/main.tf": "",
        }
    )
    assert findings(repo) == ()


def test_what_several_stacks_share_is_reported_once(make_repo: MakeRepo) -> None:
    call = 'module "m" {\n  source = "../../../modules/m"\n}\n'
    repo = make_repo(
        {
            "infra/envs/dev/a/main.tf": call,
            "infra/envs/dev/b/main.tf": call,
            "infra/modules/m/main.tf": "locals {\n",
        }
    )
    [finding] = findings(repo)
    assert (finding.code, finding.stack, finding.file) == ("syntax", None, "infra/modules/m/main.tf")


def test_serious_findings_come_first(make_repo: MakeRepo) -> None:
    files: dict[str, str] = {}
    for code in ("module-unused", "lock-file", "state-shared"):
        files |= {name.replace("/a/", f"/{code}/"): text for name, text in CASES[code][1].items()}
    severities = [finding.severity for finding in findings(make_repo(files))]
    assert severities == sorted(severities, key=("error", "warning", "info").index)
    assert set(severities) == {"error", "warning", "info"}


def test_a_cycle_stops_only_those_that_stand_behind_it(make_repo: MakeRepo) -> None:
    repo = make_repo({**CASES["cycle"][1], "infra/envs/dev/free/main.tf": GCS})
    project = load(repo.root)
    project.require(["dev/free"])
    assert project.waves(["dev/free"]) == [["dev/free"]]
    with pytest.raises(ProjectError, match="wait for each other"):
        project.require(["dev/b"])


@pytest.mark.parametrize(
    ("ci", "approved_by", "words"),
    [
        ("{system: gitlab}", "merge", "nothing says that trunk is protected"),
        ("{system: gitlab, trunk_protected: true}", "merge", ""),
        ("{system: jenkins}", "manifest", ""),
        ("{system: jenkins}", "review", "infra cannot ask for reviews where `ci.system` is jenkins"),
        ("{system: other}", "codeowners", "infra cannot ask for reviews where `ci.system` is other"),
        ("{system: github}", "manifest", "which is for a CI other than GitHub Actions"),
        ("{system: github}", "merge", ""),
    ],
)
def test_what_cannot_approve_with_the_ci_is_an_error(
    make_repo: MakeRepo, ci: str, approved_by: str, words: str
) -> None:
    text = f"ci: {ci}\nenvironments: {{prod: {{protected: true, approved_by: {approved_by}}}}}\n"
    repo = make_repo({"infra.yaml": text, "infra/envs/prod/a/main.tf": ""})
    matches = [finding for finding in findings(repo) if finding.code == "approval"]
    assert [words in finding.message for finding in matches] == ([True] if words else [])
    assert all((finding.severity, finding.file) == ("error", "infra.yaml") for finding in matches)


def test_a_link_out_of_the_project(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"infra/envs/dev/a/main.tf": ""})
    (repo.root / "infra/envs/dev/b").symlink_to(tmp_path)
    [finding] = findings(repo)
    assert (finding.code, finding.file) == ("link-outside", "infra/envs/dev/b")
