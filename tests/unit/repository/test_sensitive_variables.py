"""Secret values of variables and locals, wherever they are given."""

from __future__ import annotations

from orchestrator.masking import Masker
from orchestrator.repository.loading import load
from orchestrator.repository.model import Finding
from orchestrator.repository.sensitive_variables import mask_findings, secret_values
from tests.conftest import MakeRepo

CODE = """
variable "a" {
  type      = string
  sensitive = true
  default   = "of-the-default"
}
variable "b" {
  ephemeral = true
}
variable "c" {}
"""
JSON = '{"variable": {"d": {"sensitive": true, "default": ["of-json"]}, "e": {"default": "open"}}}'
FILES = {
    "infra.yaml": "version: 1\nenvironments:\n  dev: {var_files: [infra/dev.tfvars, infra/gone.tfvars]}\n",
    "infra/dev.tfvars": 'a = "of-the-file"\nc = "open"\nunknown = "open"\n',
    "infra/envs/dev/x/main.tf": CODE,
    "infra/envs/dev/x/more.tf.json": JSON,
    "infra/envs/dev/x/x.auto.tfvars": 'b = { one = ["in-a-list", 7], two = <<-EOT\n in a heredoc\n EOT\n}\n',
    "infra/envs/dev/x/terraform.tfvars.json": '{"d": {"deep": ["in-json", 12345]}, "e": "open"}',
    "infra/envs/dev/x/broken.auto.tfvars.json": "{",
}


def test_files_code_and_environment_decide(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    environ = {"TF_VAR_a": "of-the-environment", "TF_VAR_c": "open", "TF_VAR_unknown": "open"}
    secrets = {
        value.strip()
        for value in secret_values(project, project.stacks["dev/x"], environ, lambda name: False)
    }
    assert secrets == {
        "of-the-default",
        "of-json",
        "of-the-file",
        "in-a-list",
        "7",
        "in a heredoc",
        "in-json",
        "12345",
        "of-the-environment",
    }


NAMED = {
    "infra/envs/dev/x/main.tf": """
variable "db_password" {
  default = "S-default"
}
variable "settings" {
  default = { user = "open", api_token = ["S-nested"], inner = { password = 4711 } }
}
locals {
  token = "S-local"
  open  = "open"
}
module "m" {
  source       = "../../../modules/m"
  admin_secret = "S-argument"
  plain        = "open"
}
""",
    "infra/envs/dev/x/more.tf.json": """{
  "variable": [{"api_key": {"default": "S-json-default"}}, {"map": {"default": {"password": "S-json-key"}}}],
  "locals": {"x": {"token": "S-json-local"}}
}""",
    "infra/envs/dev/x/terraform.tfvars": 'db_password = "S-file"\nsettings = { password = "S-file-key" }\n',
    "infra/envs/dev/x/a.auto.tfvars.json": """{
  "db_password": "S-file-json", "x": {"token": ["S-list"], "y": "open"}
}""",
    "infra/modules/m/main.tf": """
variable "passphrase" {
  default = "S-module"
}
variable "open" {
  default = "open"
}
""",
}


def test_a_secret_name_is_enough(make_repo: MakeRepo) -> None:
    project = load(make_repo(NAMED).root)
    secrets = set(secret_values(project, project.stacks["dev/x"], {}, Masker().names.is_secret))
    names = (
        "default nested local argument json-default json-key json-local file file-key file-json list module"
    )
    assert secrets == {"4711", *(f"S-{name}" for name in names.split())}


def test_deep_nesting_is_no_defect(make_repo: MakeRepo) -> None:
    deep = "x = " + "[" * 3000 + "]" * 3000 + '\npassword = "S-after"\n'
    project = load(make_repo({**NAMED, "infra/envs/dev/x/z.auto.tfvars": deep}).root)
    assert "S-file" in set(secret_values(project, project.stacks["dev/x"], {}, Masker().names.is_secret))


def test_findings_quote_no_secret(make_repo: MakeRepo) -> None:
    project = load(make_repo(NAMED).root)
    source = "git::https://bob:hunter2@example.com/x"
    findings = [
        Finding("error", "file-path", "reads /S-file/S-argument", "Not S-local.", stack="dev/x"),
        Finding("error", "shared", "reads /S-module", file="infra/modules/m/main.tf"),
        Finding("error", "module-source", f"{source} here", f"[{source}]", listed=("modules", source)),
        Finding("error", "bucket", "in S-file", "[S-file]", stack="dev/x", listed=("buckets", "S-file")),
    ]
    masked = [(each.message, each.advice, each.listed) for each in mask_findings(project, findings)]
    hidden = "git::https://bob:(sensitive value)@example.com/x"
    entry = source.replace("hunter2", "*")
    assert masked == [
        ("reads /(sensitive value)/(sensitive value)", "Not (sensitive value).", None),
        ("reads /(sensitive value)", "", None),
        (f"{hidden} here", f"[{entry}]", ("modules", entry)),
        ("in (sensitive value)", "[(sensitive value)]", None),
    ]
