"""The values of sensitive variables, wherever they are given."""

from __future__ import annotations

from orchestrator.project import load
from orchestrator.project.given import sensitive_values
from tests.conftest import MakeRepo

CODE = """
variable "a" {
  type      = string
  sensitive = true
  default   = "of-the-default"
}
variable "b" {
  sensitive = true
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


def test_files_code_and_environment_tell(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    environ = {"TF_VAR_a": "of-the-environment", "TF_VAR_c": "open", "TF_VAR_unknown": "open"}
    found = {value.strip() for _, value in sensitive_values(project, project.stacks["dev/x"], environ)}
    assert found == {
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
