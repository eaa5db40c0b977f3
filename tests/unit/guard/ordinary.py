# ruff: noqa: E501 - code of Terraform on one line each
"""Ordinary pull requests, which must pass."""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.guard.hostile import CALL, CHANGED, LOCAL, MODULE, STACK, STATE, Change, required, state

RELEASE = 'resource "helm_release" "x" {{\n  name = "x"\n  {}\n}}\n'
BUCKET = 'resource "google_storage_bucket" "b" {\n  name     = "acme-data"\n  location = "EU"\n}\n'
LOCK = 'provider "registry.terraform.io/hashicorp/google" {\n  version = "VERSION"\n  hashes = ["h1:x"]\n}\n'


def change(files: Mapping[str, str | bytes | None], **more: Mapping[str, str]) -> Change:
    return Change("", files, **more)


def main(text: str) -> Change:
    return change({"+x.tf": text})


def local(expression: str, **more: str) -> Change:
    files: dict[str, str | bytes | None] = {"+x.tf": f"locals {{\n  a = {expression}\n}}\n"}
    return change({**files, **{f"+{name.replace('__', '.')}": text for name, text in more.items()}})


ORDINARY: dict[str, Change] = {
    "a bucket": main(BUCKET),
    "a bucket in JSON": change(
        {"+x.tf.json": '{"resource":{"google_storage_bucket":{"b":{"name":"acme-data"}}}}'}
    ),
    "versions of tools": change({".tool-versions": "terraform 1.11.4\n", "mise.toml": '[tools]\ngo = "1"\n'}),
    "an object of S3 from the repository": main(
        'resource "aws_s3_object" "x" {\n  source = "${path.module}/x.tf"\n}\n'
    ),
    "a committed state": change(
        {**CHANGED, "+terraform.tfstate": STATE.replace("evil/evil", "hashicorp/google")}, trunk=LOCAL
    ),
    "a committed state of another backend": change({**CHANGED, "+terraform.tfstate": STATE}),
    "provider_meta that names a module": main(
        'terraform {\n  provider_meta "google" {\n    module_name = "blueprints/terraform/x/v1"\n  }\n}\n'
    ),
    "provider_meta that names a module in JSON": change(
        {"+x.tf.json": '{"terraform": {"provider_meta": {"google": {"module_name": "x"}}}}'}
    ),
    "a module": change({"+x.tf": CALL, f"{MODULE}/main.tf": BUCKET}),
    "a module with arguments": change(
        {
            "+x.tf": CALL.replace("}", '  name = "x"\n}'),
            f"{MODULE}/main.tf": 'variable "name" {\n  type = string\n}\n'
            'resource "google_storage_bucket" "b" {\n  name = var.name\n}\n',
        }
    ),
    "a file of the module": local('file("${path.module}/policy.json")', policy__json="{}"),
    "a file of the root": local('jsondecode(file("policy.json"))', policy__json="{}"),
    "a template": local('templatefile("${path.module}/t.tpl", { a = 1 })', t__tpl="x ${a}\n"),
    "files of a folder": local(
        '{ for f in fileset(path.module, "rules/*.yaml") : f => yamldecode(file("${path.module}/${f}")) }'
    ),
    "a file by a variable": change(
        {
            "+x.tf": 'variable "f" {}\nlocals {\n  a = file("${path.module}/${var.f}")\n}\n',
            "+terraform.tfvars": 'f = "a.json"\n',
        }
    ),
    "a file by an argument": change(
        {
            "+x.tf": CALL.replace("}", '  dir = "${path.module}/rules"\n}'),
            f"{MODULE}/main.tf": 'variable "dir" {}\noutput "x" {\n  value = 1\n}\n',
        }
    ),
    "an override": change(
        {"+x.tf": BUCKET, "+x_override.tf": 'resource "google_storage_bucket" "b" {\n  location = "US"\n}\n'}
    ),
    "a backend with a bucket": change(
        {
            "+versions.tf": 'terraform {\n  backend "gcs" {\n    bucket = "acme-dev"\n    prefix = "x"\n  }\n}\n'
        }
    ),
    "a remote state": main(state('{ bucket = "acme-dev", prefix = "dev/state/net" }')),
    "a remote state by a local": main('locals {\n  b = "acme-dev"\n}\n' + state("{ bucket = local.b }")),
    "a version of a provider": main(required('{ source = "hashicorp/google", version = ">= 7" }', "google")),
    "a provider": main(
        'provider "google" {\n  project = "acme"\n  region  = var.region\n}\nvariable "region" {}\n'
    ),
    "an alias": main(
        'provider "google" {\n  alias = "eu"\n}\ndata "google_project" "x" {\n  provider = google.eu\n}\n'
    ),
    "a move": main('moved {\n  from = google_x.a\n  to   = google_x.b\n}\nresource "google_x" "b" {}\n'),
    "an import": main('import {\n  to = google_x.a\n  id = "a"\n}\nresource "google_x" "a" {}\n'),
    "a removal": main("removed {\n  from = google_x.a\n  lifecycle {\n    destroy = false\n  }\n}\n"),
    "a check": main(
        'check "c" {\n  data "google_project" "x" {}\n  assert {\n    condition     = true\n    error_message = "x"\n  }\n}\n'
    ),
    "a validation": main(
        'variable "n" {\n  validation {\n    condition     = length(var.n) < 9\n    error_message = "x"\n  }\n}\n'
    ),
    "a dynamic block": main(
        'resource "google_x" "x" {\n  dynamic "rule" {\n    for_each = var.r\n    content {\n      v = rule.value\n'
        '    }\n  }\n}\nvariable "r" {}\n'
    ),
    "a heredoc": main("locals {\n  a = <<-EOT\n    file(var.x) is only text\n  EOT\n}\n"),
    "a test": change(
        {
            "+tests/x.tftest.hcl": 'run "x" {\n  command = plan\n  module {\n    source = "../../../modules/m"\n  }\n}\n'
        }
        | {f"{MODULE}/main.tf": ""}
    ),
    "a built-in resource": main('resource "terraform_data" "x" {\n  input = 1\n}\n'),
    "a random name": main('resource "random_id" "x" {\n  byte_length = 4\n}\n'),
    "a wait": main('resource "time_sleep" "x" {\n  create_duration = "30s"\n}\n'),
    "a new stack": change({"infra/envs/dev/new/main.tf": 'terraform {\n  backend "gcs" {}\n}\n' + BUCKET}),
    "a stack that goes": change({"+main.tf": None, "+versions.tf": None}),
    "a README": change({"README.md": "# Acme\n", "+README.md": "x\n"}),
    "a newer provider": Change(
        "",
        {"+.terraform.lock.hcl": LOCK.replace("VERSION", "7.1.0")},
        trunk={"+.terraform.lock.hcl": LOCK.replace("VERSION", "7.0.0")},
    ),
    "a file that OpenTofu reads in place of another": change(
        {"+x.tf": BUCKET, "+x.tofu": BUCKET.replace("EU", "US")}
    ),
    "template_file": change(
        {
            "+x.tf": 'data "template_file" "x" {\n  template = file("${path.module}/x.tpl")\n}\n'
            'data "template_file" "y" {\n  template = "hello $${name}"\n  vars = { name = var.n }\n}\n'
            'data "template_file" "z" {\n  template = "${file("${path.module}/x.tpl")}"\n}\n',
            "+x.tpl": "echo ${upper(name)}\n",
        }
    ),
    "documents of kubectl": change(
        {
            "+x.tf": 'data "kubectl_path_documents" "x" {\n  pattern = "${path.module}/x/*.yaml"\n'
            "  disable_template = true\n}\n"
            'terraform {\n  required_providers {\n    kubectl = { source = "gavinbunney/kubectl" }\n  }\n}\n'
        }
    ),
    "attributes of other files": change({".gitattributes": "*.png filter=lfs\n*.tf text eol=lf diff=hcl\n"}),
    "a link in the repository": change(
        {"docs/x.json": "{}"}, links={f"{STACK}/x.json": "../../../../docs/x.json"}
    ),
    "line ends of Windows": change({"+x.tf": BUCKET.replace("\n", "\r\n")}),
    "a tofu file": change({"+x.tofu": BUCKET}),
    "a tofu file in place of another": change({"+x.tf": BUCKET, "+x.tofu": BUCKET}),
    "encryption with a passphrase": main(
        'terraform {\n  encryption {\n    key_provider "pbkdf2" "k" {\n      passphrase = var.p\n    }\n'
        '    method "aes_gcm" "m" {\n      keys = key_provider.pbkdf2.k\n    }\n  }\n}\nvariable "p" {}\n'
    ),
    "a cluster": main(
        'provider "kubernetes" {\n  host  = "https://${var.h}"\n  token = var.t\n'
        '  cluster_ca_certificate = base64decode(var.c)\n}\nvariable "h" {}\nvariable "t" {}\nvariable "c" {}\n'
    ),
    "a cluster of helm": main(
        'provider "helm" {\n  kubernetes = {\n    host  = var.h\n    token = var.t\n  }\n}\n'
        'variable "h" {}\nvariable "t" {}\n'
    ),
    "a chart of the repository": change(
        {
            "+x.tf": RELEASE.format(
                'chart = "${path.module}/chart"\n  values = [file("${path.module}/v.yaml")]'
            ),
            "+chart/Chart.yaml": "name: x\n",
            "+v.yaml": "a: 1\n",
        }
    ),
    "a chart of a listed repository": main(
        RELEASE.format('repository = "https://charts.acme.com"\n  chart = "x"')
    ),
    "docker by its socket": main(
        required('{ source = "kreuzwerker/docker" }', "docker")
        + 'provider "docker" {\n  host = "unix:///var/run/docker.sock"\n}\n'
    ),
    "an archive of a folder": main(
        'data "archive_file" "x" {\n  type = "zip"\n  source_dir = "${path.module}/function"\n'
        '  output_path = "${path.module}/function.zip"\n}\n'
        'resource "google_storage_bucket_object" "x" {\n  name = "f"\n  bucket = "b"\n'
        "  source = data.archive_file.x.output_path\n}\n"
    ),
    "a file that is made": main(
        'resource "local_file" "x" {\n  filename = "${path.module}/out/${var.n}.json"\n  content = "{}"\n}\n'
        'variable "n" {}\n'
    ),
    "versions of more tools": change(
        {
            ".tool-versions": "terraform 1.11.4 1.10.5 # newest first\nubi:owner/tool 1.0\n",
            "mise.toml": 'min_version = "2024.1.1"\n[tools]\ngo = ["1.22", "1.23"]\nterraform = "latest"\n',
            "+.terraform-version": "1.11.4\n",
        }
    ),
    "tasks of mise that trunk has": Change(
        "", {"+x.tf": "# x\n"}, trunk={"mise.toml": '[tasks]\nx = "make x"\n'}
    ),
    "images in LFS": change({".gitattributes": "*.[Pp][Nn][Gg] filter=lfs diff=lfs merge=lfs -text\n"}),
    "LFS for all but code": change(
        {".gitattributes": "docs/** filter=lfs\n*.bin filter=lfs\n*.tf -filter\n"}
    ),
    "an environment in trunk's bucket": change(
        {"infra.yaml": "backend: {gcs: {bucket: acme-dev}}\nenvironments: {dev: {}, stage: {}, prod: {}}\n"}
    ),
}
