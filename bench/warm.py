"""Stacks of a heavy real provider with new resources: `infra plan` against bare Terraform.

The other side is `xargs -P 2` over `terraform plan -out`, which starts a provider several times for each
stack. The provider is AWS from the filesystem mirror that TF_CLI_CONFIG_FILE names; no network is used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.pairs import measure
from bench.stacks import lay_out

# For the first run with providers of a run, and for later runs with those of the provider host.
LIMIT, LATER_LIMIT, ONE_LIMIT = 0.35, 0.12, 0.15
STACKS = 12
RUNS = 3
WIDTH = "2"

MAIN = """
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
resource "aws_sqs_queue" "jobs" {
  name = "%s"
}
resource "aws_cloudwatch_log_group" "logs" {
  name = "logs"
}
"""


def main() -> int:
    """Print the figure; 1 when the limit is missed."""
    infra = str(Path(sys.executable).with_name("infra"))
    terraform = shutil.which("terraform")
    settings = Path(os.environ.get("TF_CLI_CONFIG_FILE", ""))
    if terraform is None or not settings.is_file() or "filesystem_mirror" not in settings.read_text():
        print("warm: skipped, there is no terraform on PATH or no mirror with the AWS provider")
        return 0
    env = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = lay_out(root, STACKS, MAIN)
        for folder in folders:
            subprocess.run(
                (terraform, "init", "-input=false"), cwd=folder, env=env, check=True, capture_output=True
            )
        (root / "folders").write_text("\n".join(str(folder) for folder in folders) + "\n")
        bare = (
            "xargs", "-a", "folders", "-P", WIDTH, "-I{}", terraform, "-chdir={}", "plan", "-input=false",
            "-no-color", "-lock=false", "-out=plan.bare",
        )  # fmt: skip
        plan = (infra, "plan", "--all", "--parallelism", WIDTH)
        (root / "infra.yaml").write_text("environments: {dev: {}}\nplan: {reuse: 0}\n")
        first = measure(plan, bare, runs=RUNS, cwd=root, env=env)
        print("warm:", first.line(f"infra plan of {STACKS}", "xargs terraform plan", LIMIT))
        (root / "infra.yaml").write_text(
            "environments: {dev: {}}\nplan: {reuse: 0}\nterraform: {warm: 10m}\n"
        )
        # What the provider host listens on; the path of a socket may have a hundred characters.
        (root / "run").mkdir()
        laptop = {**env, "XDG_RUNTIME_DIR": str(root / "run"), "CI": "", "GITHUB_ACTIONS": ""}
        try:
            later = measure(plan, bare, runs=RUNS, cwd=root, env=laptop)
            print("warm:", later.line(f"later runs with warm: 10m, of {STACKS}", "xargs", LATER_LIMIT))
            single = (terraform, f"-chdir={folders[0]}", *bare[bare.index("plan") :])
            single_stack = measure(
                (infra, "plan", f"dev/{folders[0].name}"), single, runs=RUNS, cwd=root, env=laptop
            )
            print("warm:", single_stack.line("one stack, its second plan", "terraform plan", ONE_LIMIT))
        finally:
            subprocess.run((infra, "warm", "stop"), cwd=root, env=laptop, check=False)
    is_within = first.ratio <= LIMIT and later.ratio <= LATER_LIMIT and single_stack.ratio <= ONE_LIMIT
    return int(not is_within)


if __name__ == "__main__":
    sys.exit(main())
