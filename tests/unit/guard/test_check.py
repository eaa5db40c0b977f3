"""What the guard refuses, each with a twin that it lets pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from orchestrator.config.rules import AcceptedFinding, Guard, LockFileChanges
from orchestrator.guard.check import changed_paths, check_project
from orchestrator.guard.lock_files import no_approval
from orchestrator.repository.git import Repository
from orchestrator.repository.model import Finding, Project
from tests.support.repo import Repo
from tests.unit.guard.trees import Trees

CONFIG = "backend: {gcs: {bucket: 'acme-{environment}'}}\nenvironments: {dev: {}, prod: {}}\n"
BACKEND = 'terraform {\n  backend "gcs" {}\n}\n'
STACK = "infra/envs/dev/net"
OTHER = "infra/envs/dev/other/main.tf"


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository that lends its folder; the trees under test are made of strings."""
    return Repository.open(Repo(tmp_path_factory.mktemp("guard"), {"x": ""}).root)


class Make:
    """Projects from texts, as a commit would have them."""

    def __init__(self, repository: Repository) -> None:
        self.trees = Trees(repository)

    def __call__(
        self,
        files: Mapping[str, str | bytes | None],
        links: Mapping[str, str] | None = None,
        submodules: Mapping[str, str] | None = None,
    ) -> Project:
        merged = {"infra.yaml": CONFIG, f"{STACK}/versions.tf": BACKEND, **files}
        return self.trees(merged, links, submodules)


@pytest.fixture(scope="session")
def make(repository: Repository) -> Make:
    """`make({"path": "text"})` is a project with a gcs backend and the stack dev/net."""
    return Make(repository)


def guard(
    head: Project, base: Project | None, changed: Sequence[str], rules: Guard, **options: Any
) -> tuple[Finding, ...]:
    return check_project(head, base, changed, rules, **options).findings


def problems(make: Make, files: Mapping[str, str | bytes], rules: Guard | None = None) -> list[Finding]:
    head, base = make(files), make({f"{STACK}/main.tf": "# before\n"})
    return list(guard(head, base, changed_paths(head, base), rules or Guard()))


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings if finding.severity == "error"}


def owner_approves(path: str) -> str:
    """An owner of every file has approved this head."""
    return ""


def main(text: str) -> dict[str, str | bytes]:
    return {f"{STACK}/main.tf": text}


def json(text: str) -> dict[str, str | bytes]:
    return {f"{STACK}/main.tf.json": text}


def required(value: str) -> str:
    return f"terraform {{\n  required_providers {{\n    p = {value}\n  }}\n}}\n"


def state(config: str, backend: str = '"gcs"') -> str:
    return f'data "terraform_remote_state" "x" {{\n  backend = {backend}\n  config = {config}\n}}\n'


MODULE = "infra/modules/m/main.tf"
CALL = 'module "m" {\n  source = "../../../modules/m"\n  dir    = "files"\n}\n'
TEMPLATE = 'locals {\n  a = templatefile("${path.module}/t.tpl", {})\n}\n'
BY_VARIABLE = 'variable "p" {}\nlocals {\n  a = file(var.p)\n}\n'
EVIL_HEREDOC = 'locals {\n  a = <<EOT\nx\n EOT\u00a0\n}\ndata "http" "x" {}\nlocals {\n  b = <<EOT\nEOT\n}\n'

# rule, what is refused, what is let pass
CASES: list[tuple[str, dict[str, str | bytes], dict[str, str | bytes]]] = [
    # Providers
    ("provider", main(required('{ source = "evil/p" }')), main(required('{ source = "hashicorp/google" }'))),
    ("provider", main(required('{ source = "localhost/hashicorp/google" }')), {}),
    (
        "provider",
        main(required('{ source = "example.com/hashicorp/google" }')),
        main(required('{ source = "registry.terraform.io/HashiCorp/Google" }')),
    ),
    (
        "provider",
        main(required('{ ("source") = "evil/p" }')),
        main(required('{ "source" = "hashicorp/time" }')),
    ),
    ("provider", main(required('{ (local.s) = "x" }')), main(required('{ source = "hashicorp/random" }'))),
    (
        "provider",
        main(required('{ source = "ev${local.il}/p" }')),
        main(required('{ source = "hashicorp/${"google"}" }')),
    ),
    (
        "provider",
        main('resource "aws_s3_bucket" "b" {}\n'),
        main('resource "google_storage_bucket" "b" {}\n'),
    ),
    ("provider", main('provider "aws" {}\n'), main('provider "google" {}\n')),
    (
        "provider",
        main('data "google_project" "x" {\n  provider = aws.eu\n}\n'),
        main('data "google_project" "x" {\n  provider = google-beta\n}\n'),
    ),
    ("provider", main('action "aws_x" "x" {}\n'), main('resource "terraform_data" "x" {}\n')),
    (
        "provider",
        json('{"terraform": {"required_providers": {"p": {"source": "evil/p"}}}}'),
        json('{"terraform": {"required_providers": {"p": {"source": "hashicorp/google"}}}}'),
    ),
    (
        "provider",
        json('{"resource": [{"aws_x": [{"a": {}}]}]}'),
        json('{"resource": [{"google_x": [{"a": {}}]}]}'),
    ),
    # Modules
    (
        "module-source",
        main('module "m" {\n  source = "terraform-google-modules/network/google"\n}\n'),
        {**main(CALL), MODULE: 'variable "dir" {}\n'},
    ),
    (
        "module-source",
        main('module "m" {\n  source = "git::https://example.com/m.git"\n}\n'),
        {**main(CALL), MODULE: 'variable "dir" {}\n'},
    ),
    (
        "module-source",
        main('module "m" {\n  source = "/etc/m"\n}\n'),
        {**main(CALL), MODULE: 'variable "dir" {}\n'},
    ),
    (
        "module-source",
        main('module "m" {\n  source = "../../../../../elsewhere"\n}\n'),
        {**main(CALL), MODULE: 'variable "dir" {}\n'},
    ),
    (
        "module-source",
        main('module "m" {\n  source = var.where\n}\n'),
        {**main(CALL), MODULE: 'variable "dir" {}\n'},
    ),
    (
        "module-source",
        json('{"module": {"m": {"source": "git@example.com:m.git"}}}'),
        {**json('{"module": {"m": {"source": "../../../modules/m"}}}'), MODULE: ""},
    ),
    # Backends and remote states
    (
        "backend",
        {f"{STACK}/versions.tf": 'terraform {\n  backend "http" {}\n}\n'},
        {f"{STACK}/versions.tf": BACKEND},
    ),
    ("backend", {f"{STACK}/versions.tf": "terraform {\n  cloud {}\n}\n"}, {}),
    ("backend", {f"{STACK}/versions.tf": "# none\n", f"{STACK}/main.tf": "# none\n"}, {}),
    (
        "backend",
        {f"{STACK}/versions.tf": 'terraform {\n  backend "gcs" {\n    bucket = "evil"\n  }\n}\n'},
        {f"{STACK}/versions.tf": 'terraform {\n  backend "gcs" {\n    bucket = "acme-dev"\n  }\n}\n'},
    ),
    ("backend", {f"{STACK}/b_override.tf": 'terraform {\n  backend "pg" {}\n}\n'}, {}),
    (
        "provider-argument",
        {f"{STACK}/versions.tf": 'terraform {\n  backend "gcs" {\n    kms_custom_endpoint = "x"\n  }\n}\n'},
        {f"{STACK}/versions.tf": 'terraform {\n  backend "gcs" {\n    prefix = "x"\n  }\n}\n'},
    ),
    ("remote-state", main(state('{ bucket = "evil" }')), main(state('{ bucket = "acme-dev" }'))),
    (
        "remote-state",
        main('variable "b" {}\n' + state("{ bucket = var.b }")),
        main('variable "b" {\n  default = "acme-dev"\n}\n' + state("{ bucket = var.b }")),
    ),
    (
        "remote-state",
        {**main('variable "b" {\n  default = "acme-dev"\n}\n' + state("{ bucket = var.b }"))}
        | {f"{STACK}/terraform.tfvars": 'b = "evil"\n'},
        {**main('variable "b" {}\n' + state("{ bucket = var.b }"))}
        | {f"{STACK}/terraform.tfvars": 'b = "acme-dev"\n'},
    ),
    (
        "remote-state",
        main(state('{ (local.k) = "evil" }')),
        main(state('{ # comment\n "bucket" = "acme-prod" }')),
    ),
    ("remote-state", main(state("local.all")), main(state('{ bucket = "acme-dev" }'))),
    ("remote-state", main(state('{ organization = "evil" }', '"remote"')), {}),
    ("remote-state", main(state('{ bucket = "acme-dev" }', "var.kind")), {}),
    (
        "remote-state",
        {**main(state('{ bucket = "acme-dev" }')), f"{STACK}/override.tf": state('{ bucket = "evil" }')},
        {**main(state('{ bucket = "acme-dev" }')), f"{STACK}/override.tf": state('{ bucket = "acme-dev" }')},
    ),
    (
        "remote-state",
        json('{"data": {"terraform_remote_state": {"x": {"backend": "gcs", "config": {"bucket": "evil"}}}}}'),
        json(
            '{"data": {"terraform_remote_state": {"x":'
            ' {"backend": "gcs", "config": {"bucket": "acme-dev"}}}}}'
        ),
    ),
    (
        "remote-state",
        main('check "c" {\n  ' + state('{ bucket = "evil" }') + "}\n"),
        main('check "c" {\n  ' + state('{ bucket = "acme-dev" }') + "}\n"),
    ),
    ("provider-argument", main(state('{ bucket = "acme-dev", access_token = "x" }')), {}),
    # Ways out
    *(
        ("data-source", main(f'{kind} "{name}" "x" {{}}\n'), main(f'# {kind} "{name}" "x" {{}}\n'))
        for kind, name in [
            ("data", "external"),
            ("data", "http"),
            ("data", "google_client_config"),
            ("data", "google_service_account_access_token"),
            ("data", "google_service_account_id_token"),
            ("ephemeral", "google_service_account_jwt"),
            ("ephemeral", "google_service_account_access_token"),
        ]
    ),
    (
        "data-source",
        main("data google_client_config x {}\n"),
        main('resource "google_client_config" "x" {}\n'),
    ),
    ("data-source", main('data "extern\\u0061l" "x" {}\n'), main('data "google_project" "x" {}\n')),
    ("data-source", main('check "c" {\n  data "http" "x" {}\n}\n'), main('check "c" {\n}\n')),
    ("data-source", {f"{STACK}/#x.tf": 'data "http" "x" {}\n'}, {f"{STACK}/.x.tf": 'data "http" "x" {}\n'}),
    (
        "data-source",
        {f"{STACK}/a.tf": 'data "http" "x" {}\n', f"{STACK}/a.tofu": ""},
        {f"{STACK}/a.tf": "", f"{STACK}/b.tofu": ""},
    ),
    (
        "data-source",
        json('{"data": {"ht\\u0074p": {"x": {"url": "http://x"}}}}'),
        json('{"data": {"google_project": {"x": {}}}}'),
    ),
    (
        "data-source",
        json('{"ephemeral": {"google_service_account_jwt": {"x": {}}}}'),
        json('{"locals": {"a": 1}}'),
    ),
    ("data-source", {**main(CALL), MODULE: 'data "http" "x" {}\n'}, {**main(CALL), MODULE: ""}),
    # Programs
    (
        "provisioner",
        main('resource "google_x" "x" {\n  provisioner "local-exec" {\n    command = "id"\n  }\n}\n'),
        main('resource "google_x" "x" {\n  provisioner_name = "local-exec"\n}\n'),
    ),
    (
        "provisioner",
        main('resource "terraform_data" "x" {\n  connection {\n    host = "x"\n  }\n}\n'),
        main('data "google_x" "x" {\n  connection {\n    host = "x"\n  }\n}\n'),
    ),
    (
        "provisioner",
        main('removed {\n  from = google_x.x\n  provisioner "local-exec" {\n    when = destroy\n  }\n}\n'),
        main("removed {\n  from = google_x.x\n}\n"),
    ),
    (
        "provisioner",
        json('{"resource": {"google_x": {"x": [{"provisioner": [{"local-exec": {"command": "id"}}]}]}}}'),
        json('{"resource": {"google_x": {"x": [{"provision": 1}]}}}'),
    ),
    # Providers that go elsewhere, or as somebody else
    *(
        (
            "provider-argument",
            main(f'provider "google" {{\n  {name} = var.x\n}}\n'),
            main('provider "google" {\n  region = var.x\n}\n'),
        )
        for name in (
            "storage_custom_endpoint",
            "credentials",
            "access_token",
            "impersonate_service_account",
            "universe_domain",
        )
    ),
    (
        "provider-argument",
        main('provider "google" {\n  external_credentials {\n    audience = "x"\n  }\n}\n'),
        main('provider "google" {\n  batching {\n    enable_batching = false\n  }\n}\n'),
    ),
    (
        "provider-argument",
        json('{"provider": {"google": [{"alias": "a"}, {"access_token": "x"}]}}'),
        json('{"provider": {"google": [{"alias": "a"}, {"region": "x"}]}}'),
    ),
    (
        "provider-meta",
        main('terraform {\n  provider_meta "google" {\n    module_name = var.x\n  }\n}\n'),
        main('terraform {\n  required_version = ">= 1.11"\n}\n'),
    ),
    # Files
    *(
        ("file-path", main(f"locals {{\n  a = {bad}\n}}\n"), main(f"locals {{\n  a = {good}\n}}\n"))
        for bad, good in [
            ('file("/etc/passwd")', 'file("${path.module}/a.json")'),
            ('core::file("/etc/passwd")', 'file("a.json")'),
            ('file /* really */ ("/etc/passwd")', "length(var.file)"),
            ('file("~/.config/gcloud/x")', 'file("./a.json")'),
            ('file("${path.module}/../../../../../x")', 'file("${path.module}/../../../x.json")'),
            ('file("${path.root}/../../../../../x")', 'file("${path.root}/../x")'),
            ('file("${path.cwd}/../../../../../x")', 'file("${path.cwd}/x")'),
            ('file("${path.root}./../../../../../x")', 'file("${path.root}/.x")'),
            ('file("${path.module}/../../../.git/config")', 'file("${path.module}/../../../.gitignore")'),
            ('file("../../../.GIT/config")', 'file("${abspath("x")}")'),
            ('file(".terraform/terraform.tfstate")', 'file("terraform/x")'),
            ("file(var.path)", 'file("${local.known}")\n  known = "x"'),
            ("file(pathexpand(local.x))", "pathexpand(local.x)"),
            ('file(["/etc/passwd"]...)', 'file("x")'),
            ('filebase64sha256("/etc/passwd")', 'filebase64sha256("${path.module}/x")'),
            ('fileexists("/etc/passwd")', 'fileexists("${path.module}/x")'),
            ('templatefile("/etc/passwd", {})', 'templatefile("${path.module}/main.tf", {})'),
            ('templatefile("${path.module}/x", {})', 'templatefile("main.tf", {})'),
            ("templatestring(local.t, {})", "format(local.t)"),
            ('fileset("/etc", "*")', 'fileset("${path.module}/x", "**")'),
            ('fileset(path.module, "../../../../../*")', 'fileset(path.module, "*")'),
            ("fileset(path.module, var.x)", 'fileset("${path.module}/x", "*.{a,b}")'),
            (
                '[for f in var.names : file("${path.module}/x/${f}")]',
                '[for f in fileset("${path.module}/x", "*") : file("${path.module}/x/${f}")]',
            ),
            (
                '[for f in fileset(path.module, "*") : templatefile("${path.module}/${f}", {})]',
                '{ for f in toset(fileset(path.module, "*")) : f => file("${path.module}/${f}") }',
            ),
            (
                '[for f in fileset("../../../..", "*") : file("../../../../${f}")]',
                '[for f in fileset(path.module, "*") : sha1(file("${path.module}/${f}"))]',
            ),
            (
                '[for f in var.x : [for g in [file("${path.module}/${f}")] : g]]',
                '"text with file(var.x) in it"',
            ),
            (
                '[for f in fileset(path.module, "*") : file("${path.module}/a${f}")]',
                '[for f in fileset(path.module, "*") : filesha1("${path.module}/${f}")]',
            ),
        ]
    ),
    (
        "file-path",
        main(
            'resource "google_x" "x" {\n  for_each = var.x\n  a = file("${path.module}/${each.value}")\n}\n'
        ),
        main(
            'resource "google_x" "x" {\n  for_each = fileset(path.module, "x/*")\n'
            '  a = file("${path.module}/${each.value}")\n}\n'
        ),
    ),
    (
        "file-path",
        json('{"locals": {"a": "${file(\\"/etc/passwd\\")}"}}'),
        json('{"locals": {"a": "${file(\\"${path.module}/x\\")}"}}'),
    ),
    (
        "file-path",
        json('{"locals": {"a": [{"${file(\\"/etc/passwd\\")}": 1}]}}'),
        json('{"locals": {"a": [{"$${file(\\"/etc/passwd\\")}": 1}]}}'),
    ),
    (
        "file-path",
        {**main(TEMPLATE), f"{STACK}/t.tpl": 'x ${file("/etc/passwd")}\n'},
        {**main(TEMPLATE), f"{STACK}/t.tpl": "x ${name} file(/etc/passwd)\n"},
    ),
    (
        "file-path",
        {
            **main(CALL.replace("files", "/etc")),
            MODULE: 'variable "dir" {}\noutput "x" {\n  value = file(var.dir)\n}\n',
        },
        {**main(CALL), MODULE: 'variable "dir" {}\noutput "x" {\n  value = file(var.dir)\n}\n'},
    ),
    (
        "file-path",
        {**main(CALL), MODULE: 'output "x" {\n  value = file("${path.root}/../../../../../x")\n}\n'},
        {**main(CALL), MODULE: 'output "x" {\n  value = file("${path.root}/../../../x")\n}\n'},
    ),
    (
        "file-path",
        {f"{STACK}/versions.tf": 'terraform {\n  backend "local" {\n    path = "/tmp/x"\n  }\n}\n'},
        {},
    ),
    # What cannot be determined
    ("unreadable", main("resource {{{\n"), main("")),
    ("unreadable", main('locals {\n  a = "\x01"\n}\n'), main("locals {\r\n  a = 1\r\n}\r\n")),
    ("unreadable", main(EVIL_HEREDOC), main("locals {\n  a = <<-EOT\n    x\n    EOT\n}\n")),
    (
        "data-source",
        main('locals {\n  a = <<EOT\nx\nEOT, b = <<ZZ\nEOT\n}\ndata "http" "x" {}\n# ZZ\n'),
        main("locals {\n  a = <<EOT\nx # EOT\nEOT\n}\n"),
    ),
    ("unreadable", main('locals {\n  a = "$$${"\n}\n'), main('locals {\n  a = "$${"\n}\n')),
    (
        "unreadable",
        main(b'locals {\n  a = "\xff"\n}\n'.decode("latin-1")) | {f"{STACK}/x.tf": b"# \xff\n"},
        {},
    ),
    (
        "unreadable",
        json('{"data": {"http": {"x": {}}}, "data": {"google_project": {"x": {}}}}'),
        json('{"data": {"google_project": {"x": {}, "y": {}}}}'),
    ),
    ("unreadable", json("{"), json("{}")),
    (
        "unreadable",
        {
            **main(BY_VARIABLE),
            f"{STACK}/x.auto.tfvars": 'q = <<EOT\nx\n EOT\u00a0\np = "/x"\nr = <<EOT\nEOT\n',
        },
        {**main(BY_VARIABLE), f"{STACK}/x.auto.tfvars": 'q = <<EOT\nx\n EOT\np = "x"\n'},
    ),
    (
        "unreadable",
        {**main(BY_VARIABLE), f"{STACK}/x.auto.tfvars.json": '{"p": "/x", "p": "x"}'},
        {**main(BY_VARIABLE), f"{STACK}/x.auto.tfvars.json": '{"p": "x"}'},
    ),
    # What steers Terraform
    ("cli-config", {".terraformrc": ""}, {"terraform.rc.md": ""}),
    ("cli-config", {"tools/ci.tfrc": ""}, {"tools/ci.tfvars": ""}),
    ("cli-config", {f"{STACK}/.terraform/modules/modules.json": "{}"}, {f"{STACK}/terraform/x": ""}),
    ("cli-config", {f"{STACK}/terraform.d/plugins/x": ""}, {f"{STACK}/terraform.e/plugins/x": ""}),
    ("cli-config", {".infra/data/x": ""}, {"infra/data/x": ""}),
    ("name", {f"{STACK}/a\nb.txt": ""}, {f"{STACK}/a b.txt": "", "docs/a\nb.txt": ""}),
    ("name", {f"{STACK}/\x1b[31m.txt": ""}, {f"{STACK}/ü`$(id).txt": ""}),
    ("name", {f"{STACK}/a\u202eb.txt": ""}, {f"{STACK}/::error::.txt": ""}),
    # infra.yaml
    (
        "backend",
        {"infra.yaml": CONFIG.replace("acme-", "evil-")},
        {"infra.yaml": CONFIG.replace("acme-{environment}", "acme-prod")},
    ),
    (
        # Bucket names are global: a placeholder stands for trunk's environments and for no others.
        "backend",
        {"infra.yaml": CONFIG.replace("prod: {}", "prod: {}, evil: {}")},
        {"infra.yaml": CONFIG.replace("prod: {}", "prod: {soak: 1m}")},
    ),
    ("remote-state", main(state('{ bucket = "acme-evil" }')), main(state('{ bucket = "acme-prod" }'))),
]


@pytest.mark.parametrize(("rule", "refused", "passes"), CASES)
def test_what_is_refused_and_what_passes(
    make: Make, rule: str, refused: dict[str, str | bytes], passes: dict[str, str | bytes]
) -> None:
    bad = [finding for finding in problems(make, refused) if finding.severity == "error"]
    assert rule in {finding.code for finding in bad}
    assert all(finding.file and finding.advice for finding in bad)
    assert codes(problems(make, passes)) == set()


def test_only_what_the_change_reaches_is_looked_at(make: Make) -> None:
    bad = 'data "http" "x" {}\n'
    before = {OTHER: bad + BACKEND}
    base, head = make(before), make({**before, f"{STACK}/main.tf": "# changed\n"})
    assert guard(head, base, changed_paths(head, base), Guard()) == ()
    assert {finding.stack for finding in guard(head, base, (), Guard(), stacks=["dev/other"])} == {
        "dev/other"
    }


def test_what_trunk_has_already_counts_and_is_marked_as_old(make: Make) -> None:
    before = {f"{STACK}/old.tf": 'data "http" "x" {}\n', f"{STACK}/main.tf": "# before\n"}
    base = make(before)
    head = make({**before, f"{STACK}/main.tf": 'data "external" "x" {}\n'})
    old_by_file = {
        finding.file: "Trunk has it already" in finding.message
        for finding in guard(head, base, changed_paths(head, base), Guard())
        if finding.code == "data-source"
    }
    assert old_by_file == {f"{STACK}/old.tf": True, f"{STACK}/main.tf": False}


def test_dependents_are_looked_at_too(make: Make) -> None:
    reads = state('{ bucket = "acme-dev", prefix = "dev/state/net" }').replace(' "x" ', ' "net" ')
    before = {OTHER: BACKEND + reads + 'data "http" "x" {}\n', f"{STACK}/main.tf": ""}
    base, head = make(before), make({**before, f"{STACK}/main.tf": "# changed\n"})
    assert "data-source" in codes(list(guard(head, base, (), Guard())))


def test_findings_have_line_and_stack(make: Make) -> None:
    (finding,) = (f for f in problems(make, main('\n\ndata "http" "x" {}\n')) if f.code == "data-source")
    assert (finding.file, finding.line, finding.stack) == (f"{STACK}/main.tf", 3, "dev/net")
    (finding,) = (
        f for f in problems(make, main('\nlocals {\n\n  a = file("/x")\n}\n')) if f.code == "file-path"
    )
    assert (finding.line, finding.stack) == (4, "dev/net")


def test_what_is_listed_passes(make: Make) -> None:
    rules = Guard(
        providers=("hashicorp/*", "example.com/acme/*"),
        modules=("terraform-google-modules/*/google",),
        backends=("gcs", "http"),
        buckets=("shared-*",),
    )
    text = required('{ source = "example.com/acme/x" }') + (
        'module "m" {\n  source = "terraform-google-modules/network/google"\n}\n'
        'data "google_x" "x" {\n  provider = aws\n}\n' + state('{ bucket = "shared-1" }')
    )
    assert codes(problems(make, main(text), rules)) == set()
    assert codes(problems(make, main(state('{ bucket = "acme-dev" }')), rules)) == {"remote-state"}
    assert codes(problems(make, main(required('{ source = "example.org/acme/x" }')), rules)) == {"provider"}


def test_the_stacks_of_trunk_decide_which_backends_and_buckets_count(make: Make) -> None:
    own = 'terraform {\n  backend "gcs" {\n    bucket = "BUCKET"\n    prefix = "x"\n  }\n}\n'
    plain = {"infra.yaml": "environments: {dev: {}}\n"}
    base = make({**plain, f"{STACK}/versions.tf": own.replace("BUCKET", "trunk-own")})
    fine = make({**plain, f"{STACK}/versions.tf": own.replace("BUCKET", "trunk-own") + "# more\n"})
    evil = make({**plain, f"{STACK}/versions.tf": own.replace("BUCKET", "evil")})
    assert guard(fine, base, (), Guard()) == ()
    assert codes(list(guard(evil, base, (), Guard()))) == {"backend"}


def test_an_owner_accepts_a_finding_by_rule_and_path(make: Make) -> None:
    head, base = make(main('data "http" "x" {}\nlocals {\n  a = file("/x")\n}\n')), make({})
    allowed = AcceptedFinding("data-source", f"{STACK}/**", reason="It is known.")
    done = check_project(head, base, (), Guard(providers=("hashicorp/*",), allow=(allowed,)))
    assert codes(list(done.findings)) == {"file-path"}
    assert [(finding.code, why) for finding, why in done.accepted] == [("data-source", "It is known.")]
    elsewhere = Guard(
        providers=("hashicorp/*",), allow=(AcceptedFinding("data-source", "infra/envs/prod/**", reason="x"),)
    )
    assert codes(list(guard(head, base, (), elsewhere))) == {"file-path", "data-source"}


def test_a_finding_states_how_an_owner_allows_it(make: Make) -> None:
    for finding in problems(make, main('data "http" "x" {}\n')):
        words = (
            "providers: […, hashicorp/http]"
            if finding.code == "provider"
            else "allow: [{rule: data-source, path: "
        )
        assert words in finding.advice
        assert "trunk" in finding.advice


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("config", "infra.yaml"),
        ("workflows", ".github/workflows/infra-plan.yml"),
        ("workflows", ".github/actions/x/run.sh"),
        ("workflows", "action.yml"),
        ("policies", "policies/labels.rego"),
        ("codeowners", ".github/CODEOWNERS"),
    ],
)
def test_changed_rules_are_a_warning_unless_trunk_prevents_it(make: Make, kind: str, path: str) -> None:
    head, base = make({path: CONFIG + "# other\n"}), make({path: CONFIG})
    changed = changed_paths(head, base)
    (finding,) = guard(head, base, changed, Guard())
    assert (finding.severity, finding.code, finding.file) == ("warning", f"changed-{kind}", path)
    (finding,) = guard(head, base, changed, Guard(prevent=(kind,)))  # type: ignore[arg-type]
    assert (finding.severity, finding.code) == ("error", f"changed-{kind}")


def test_other_files_may_change(make: Make) -> None:
    head, base = make({"README.md": "new", "docs/x.yml": "y"}), make({})
    assert guard(head, base, changed_paths(head, base), Guard(prevent=("config", "workflows"))) == ()


def test_links_out_of_the_tree(make: Make) -> None:
    base = make({})
    for links in ({f"{STACK}/out": "../../../../../etc/passwd"}, {f"{STACK}/out": "/etc/passwd"}):
        head = make(main("# x\n"), links)
        assert codes(list(guard(head, base, (), Guard()))) == {"link"}
    ring = make(main("# x\n"), {f"{STACK}/a": "b", f"{STACK}/b": "a"})
    assert codes(list(guard(ring, base, (), Guard()))) == {"link"}
    far = {"docs/out": "/etc/passwd"}
    assert codes(list(guard(make(main("# x\n"), far), make({}, far), (), Guard()))) == set()
    assert codes(list(guard(make(main("# x\n"), far), base, ("docs/out",), Guard()))) == {"link"}
    assert (
        codes(
            list(
                guard(
                    make({**main("# x\n"), "docs/x": ""}, {f"{STACK}/in": "../../../../docs/x"}),
                    base,
                    (),
                    Guard(),
                )
            )
        )
        == set()
    )


def test_a_path_is_followed_as_the_system_follows_it(make: Make) -> None:
    """`..` after a link goes up from where the link leads, not from where it lies."""
    text = main('locals {\n  a = file("${path.module}/deep/../../x")\n}\n')
    files = {**text, "a/b": "", "infra/envs/x": ""}
    assert codes(list(guard(make(files), make({}), (), Guard()))) == set()
    linked = make({**files, "a/b": ""}, {f"{STACK}/deep": "../../../../a"})
    assert codes(list(guard(linked, make({}), (), Guard()))) == {"file-path"}


def test_a_module_in_a_submodule_is_not_looked_at_and_so_refused(make: Make) -> None:
    head = make(
        main('module "m" {\n  source = "../../../modules/m"\n}\n'), submodules={"infra/modules/m": "1" * 40}
    )
    assert codes(list(guard(head, make({}), (), Guard()))) == {"module-source"}


LOCK = """provider "registry.terraform.io/hashicorp/google" {
  version     = "7.0.0"
  constraints = "~> 7.0"
  hashes = [
    "h1:one",
    "zh:two",
  ]
}
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LOCK, None),
        (LOCK.replace('"h1:one",', '"h1:one",\n    "h1:more",').replace("~> 7.0", ">= 7"), None),
        (LOCK.replace("7.0.0", "6.9.0"), None),
        (
            LOCK.replace("7.0.0", "7.0.1"),
            "takes registry.terraform.io/hashicorp/google 7.0.1 instead of 7.0.0",
        ),
        (LOCK.replace('"h1:one",', ""), "no longer has every hash"),
        ("# empty\n", "no longer pins"),
        (None, "no longer pins"),
        (LOCK + LOCK.replace("google", "evil"), "takes registry.terraform.io/hashicorp/evil 7.0.0"),
    ],
)
def test_lock_files(make: Make, text: str | None, words: str | None) -> None:
    path = f"{STACK}/.terraform.lock.hcl"
    known = {"infra/envs/prod/net/.terraform.lock.hcl": LOCK.replace("7.0.0", "6.9.0")}
    base = make({path: LOCK, **known})
    head = make({**main("# x\n"), **known, **({path: text} if text is not None else {})})
    rules = Guard(lock_file_changes="owners")
    findings = [finding for finding in guard(head, base, (), rules) if finding.code == "lock-file"]
    assert [words in finding.message for finding in findings if words] == ([True] if words else [])
    assert bool(findings) == bool(words)
    assert {finding.severity for finding in findings} <= {"error"}
    assert codes(list(guard(head, base, (), rules, missing_approval=owner_approves))) == set()


BUMP = LOCK.replace("7.0.0", "7.0.1")


@pytest.mark.parametrize(
    ("mode", "text", "mirrored", "owned", "refused"),
    [
        ("allow", BUMP, False, False, False),
        ("allow", "# empty\n", False, False, False),
        ("allow", BUMP.replace("registry.terraform.io", "registry.opentofu.org"), False, False, False),
        ("allow", BUMP.replace("hashicorp/google", "hashicorp/evil"), False, False, True),
        ("allow", BUMP.replace("registry.terraform.io", "example.com"), False, False, True),
        ("allow", BUMP.replace("hashicorp/google", "hashicorp/evil"), False, True, False),
        ("allow", BUMP, True, False, True),
        ("allow", BUMP, True, True, False),
        ("owners", BUMP, False, False, True),
        ("owners", BUMP, False, True, False),
        ("refuse", BUMP, False, False, True),
        ("refuse", BUMP, False, True, True),
    ],
)
def test_versions_of_listed_providers(
    make: Make, mode: LockFileChanges, text: str, mirrored: bool, owned: bool, refused: bool
) -> None:
    path = f"{STACK}/.terraform.lock.hcl"
    base, head = make({path: LOCK}), make({path: text})
    rules = Guard(lock_file_changes=mode)
    findings = guard(
        head, base, (), rules, mirrored=mirrored, missing_approval=owner_approves if owned else no_approval
    )
    severities = {finding.severity for finding in findings if finding.code == "lock-file"}
    assert ("error" in severities) == refused
    assert severities


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("~> 7.0", "~> 7.0", ""),
        ("~> 7.0", "~> 6.9", ""),
        ("~> 7.0", "~> 8.0", "takes hashicorp/google ~> 8.0 instead of ~> 7.0"),
        ("~> 7.0", None, "takes hashicorp/google any version instead of ~> 7.0"),
        ("~> 7.0", "", "no longer limits hashicorp/google to ~> 7.0"),
        (None, "~> 8.0", "takes hashicorp/google ~> 8.0 instead of no constraint"),
    ],
)
def test_version_constraints_without_a_lock_file(
    make: Make, before: str | None, after: str | None, words: str
) -> None:
    def code(version: str | None) -> str:
        if version == "":
            return "# nothing\n"
        limit = f', version = "{version}"' if version else ""
        return required(f'{{ source = "hashicorp/google"{limit} }}').replace(" p =", " google =")

    known = {"infra/envs/prod/net/main.tf": BACKEND + code("~> 6.9")}
    base, head = make({**main(code(before)), **known}), make({**main(code(after)), **known})

    def findings(mode: LockFileChanges, **options: Any) -> list[Finding]:
        rules = Guard(lock_file_changes=mode)
        return [each for each in guard(head, base, (), rules, **options) if each.code == "lock-file"]

    severities: dict[LockFileChanges, str] = {"allow": "info", "owners": "error", "refuse": "error"}
    for mode, severity in severities.items():
        assert [(each.severity, words in each.message) for each in findings(mode)] == (
            [(severity, True)] if words else []
        ), mode
    assert {each.severity for each in findings("owners", missing_approval=owner_approves)} <= {"info"}
    assert {each.severity for each in findings("allow", mirrored=True)} == ({"error"} if words else set())
    locked = {f"{STACK}/.terraform.lock.hcl": LOCK}
    base, head = make({**main(code(before)), **locked}), make({**main(code(after)), **locked})
    assert not findings("owners"), "the lock file says which version is taken"


def test_a_provider_of_a_lock_file_that_is_not_listed_is_named_with_the_way_to_list_it(make: Make) -> None:
    path = f"{STACK}/.terraform.lock.hcl"
    base, head = make({path: LOCK}), make({path: LOCK.replace("hashicorp/google", "hashicorp/evil")})
    taken, *_ = [each for each in guard(head, base, (), Guard()) if each.code == "lock-file"]
    assert taken.message.endswith("which no lock file of trunk has. The provider is not listed.")
    assert "`guard: {providers: […, registry.terraform.io/hashicorp/evil]}`" in taken.advice


@pytest.mark.parametrize(
    ("binary", "refused"), [("terraform", False), ("tofu", True), ("embedded", False), (None, True)]
)
def test_terraform_renders_no_text_that_reads_files(make: Make, binary: str | None, refused: bool) -> None:
    """`cannot use filesystem access functions like file in templatestring templates`, it says."""
    trunk = {"infra.yaml": CONFIG + (f"terraform: {{binary: {binary}}}\n" if binary else "")}
    head = make({**trunk, **main("locals {\n  a = templatestring(local.t, {})\n}\n")})
    assert codes(list(guard(head, make(trunk), (), Guard()))) == ({"file-path"} if refused else set())


def test_a_pointer_of_lfs_is_named_as_one(make: Make) -> None:
    """It does not parse either; that alone would not tell what to do."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (finding,) = problems(make, main(pointer))
    assert "a pointer to a file in Git LFS, and nobody reviewed what is behind it" in finding.message
    assert finding.line == 1


def test_a_new_stack_takes_what_other_stacks_of_trunk_take(make: Make) -> None:
    path = "infra/envs/dev/new/.terraform.lock.hcl"
    base = make({f"{STACK}/.terraform.lock.hcl": LOCK})
    rules = Guard(lock_file_changes="owners")
    for text, expected in ((LOCK, set()), (BUMP, {"lock-file"})):
        head = make({f"{STACK}/.terraform.lock.hcl": LOCK, "infra/envs/dev/new/main.tf": BACKEND, path: text})
        assert codes(list(guard(head, base, (), rules))) == expected


def test_without_a_base_the_project_lists_its_own_backend(make: Make) -> None:
    head = make(main(state('{ bucket = "acme-dev" }')))
    assert guard(head, None, (), Guard()) == ()
    assert codes(list(guard(make(main(state('{ bucket = "evil" }'))), None, (), Guard()))) == {"remote-state"}


def test_folders_that_terraform_takes_programs_from(make: Make) -> None:
    """Links and submodules are folders to Terraform, whatever they lead to."""
    base = make({})
    plugins = {"shared/plugins/x": ""}
    for name in ("terraform.d", "Terraform.D", ".terraform", ".terraformrc", ".infra"):
        head = make(plugins, {f"{STACK}/{name}": "../../../../shared"})
        assert codes(list(guard(head, base, (), Guard()))) == {"cli-config"}, name
    head = make({}, submodules={f"{STACK}/terraform.d": "1" * 40})
    assert codes(list(guard(head, base, (), Guard()))) == {"cli-config"}
    head = make({"shared/terraform.d/plugins/x": ""}, {f"{STACK}/link": "../../../../shared"})
    assert codes(list(guard(head, base, (), Guard()))) == {"cli-config"}


def test_links_to_git_s_own_files(make: Make) -> None:
    for target in ("../../../../.git/config", "../../../../.GIT", "../../../../.infra/runs"):
        head = make(main("# x\n"), {f"{STACK}/x.auto.tfvars": target})
        assert codes(list(guard(head, make({}), (), Guard()))) == {"link"}


def test_names_that_differ_in_case_alone(make: Make) -> None:
    base = make({})
    for path in (f"{STACK}/Versions.tf", "infra/envs/Dev/net/main.tf"):
        files = {path: "# x\n"}
        findings = guard(make(files), base, (path,), Guard())
        assert "name" in codes(list(findings)), path
    assert (
        codes(list(guard(make({"docs/a.MD": "", "docs/A.md": ""}), base, ("docs/a.MD",), Guard()))) == set()
    )


SUBMODULES = '[submodule "m"]\n\tpath = m\n\turl = URL\n'


def test_submodules_and_lfs_from_elsewhere(make: Make) -> None:
    base = make({".gitmodules": SUBMODULES.replace("URL", "https://example.com/old")})
    for text, expected in (
        (SUBMODULES.replace("URL", "https://example.com/old"), set()),
        (SUBMODULES.replace("URL", "https://example.com/new"), {"submodule"}),
        (SUBMODULES.replace("URL", "https://listed.com/new"), set()),
        (
            SUBMODULES.replace("\n\turl = URL", "").replace("]", "] URL = https://example.com/new"),
            {"submodule"},
        ),
        (SUBMODULES.replace("url = URL", "url = \\\n  https://example.com/new"), {"submodule"}),
    ):
        head = make({".gitmodules": text})
        findings = guard(head, base, (), Guard(modules=("https://listed.com/*",)))
        assert codes(list(findings)) == expected, text
    head = make({".lfsconfig": "[lfs]\n\turl = https://example.com\n"})
    assert codes(list(guard(head, base, (), Guard()))) == {"lfs-config"}
    assert guard(head, head, (), Guard()) == ()


def test_the_pull_request_that_adds_infra_yaml(make: Make) -> None:
    """What trunk's code has is known, though trunk describes no layout; what only the change has is not."""
    own = 'terraform {\n  backend "gcs" {\n    bucket = "NAME"\n    prefix = "x"\n  }\n}\n'
    path = "environments/dev/app/main.tf"
    layout = "roots: {envs: environments, modules: modules}\n"
    base = make({"infra.yaml": None, path: own.replace("NAME", "trunk-own")})
    head = make({"infra.yaml": layout, path: own.replace("NAME", "trunk-own")})
    assert "dev/app" in head.stacks
    assert codes(list(guard(head, base, ("infra.yaml",), Guard()))) == set()
    evil = make({"infra.yaml": layout, path: own.replace("NAME", "evil")})
    assert codes(list(guard(evil, base, ("infra.yaml", path), Guard()))) == {"backend"}
    evil = make({"infra.yaml": layout + "backend: {gcs: {bucket: evil}}\n", path: BACKEND})
    assert "backend" in codes(list(guard(evil, base, ("infra.yaml", path), Guard())))
    trunk = make({"infra.yaml": "environments: {dev: {}}\n", path: own.replace("NAME", "trunk-own")})
    assert codes(list(guard(head, trunk, ("infra.yaml",), Guard()))) == {"backend"}


@pytest.mark.parametrize("name", ["report", "reports", "Reports"])
def test_links_where_reports_go(make: Make, name: str) -> None:
    head = make({}, {name: "infra"})
    assert [(finding.code, finding.file) for finding in guard(head, make({}), (), Guard())] == [
        ("link", name)
    ]
    assert not guard(make({f"{name}/x.md": ""}, {f"docs/{name}": "../infra"}), make({}), (), Guard())


@pytest.mark.parametrize(
    "text",
    [
        'output "x" {\n  value = file("/etc/passwd")\n}\n',
        'locals {\n  x = templatefile /* x */ ("/etc/passwd", {})\n}\n',
        'locals {\n  x = core::file("/etc/passwd")\n}\n',
        'output "x" {\n  value = "$$${1}"\n}\n',
        'output "x" {\n  value = "\x01"\n}\n',
        "locals {\n  x = <<EOT\n  EOT\nEOT\n}\n",
        'output "x" {\n  value = \n',
    ],
)
def test_files_of_plain_blocks_are_checked(make: Make, text: str) -> None:
    """Discovery says which files need no second look; each of these needs one."""
    assert codes(problems(make, {f"{STACK}/outputs.tf": text})) & {"file-path", "unreadable"}
    assert not problems(make, {f"{STACK}/outputs.tf": 'output "x" {\n  value = "file"\n}\n'})


def test_an_owner_learns_how_to_accept_a_lock_file(make: Make) -> None:
    path = f"{STACK}/.terraform.lock.hcl"
    findings = guard(make({path: LOCK}), make({}), (path,), Guard(lock_file_changes="owners"))
    assert [finding.code for finding in findings if f"rule: lock-file, path: {path}" in finding.advice] == [
        "lock-file"
    ]


@pytest.mark.parametrize(("bucket", "codes"), [("acme-dev", []), ("others", ["backend"])])
def test_a_state_is_taken_over_from_a_bucket_that_trunk_knows(
    make: Make, bucket: str, codes: list[str]
) -> None:
    moved = f"{CONFIG}stacks: {{dev/net: {{moved_from: 'gs://{bucket}/old/net'}}}}\n"
    head, base = make({"infra.yaml": moved}), make({})
    result = check_project(head, base, ("infra.yaml",), Guard())
    assert [finding.code for finding in result.findings if finding.code == "backend"] == codes


def test_a_finding_does_not_quote_a_secret(make: Make) -> None:
    code = """
variable "path" {
  sensitive = true
  default   = "/hunter2-of-bob"
}
locals { x = file(var.path) }
module "m" { source = "git::https://bob:hunter2@example.com/x" }
"""
    findings = problems(make, {f"{STACK}/main.tf": code})
    assert {"file-path", "module-source"} <= {finding.code for finding in findings}
    assert not [finding for finding in findings if "hunter2" in repr(finding)]
