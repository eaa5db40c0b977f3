"""The commands of docs/gcp.md, typed one after the other: gcloud and gh are stand-ins, the rest is real.

From step 5 on they run on the sandbox, with its cloud and its GitHub.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.repository.loading import load
from orchestrator.sandbox import attach, control, launch
from tests.support.typed import answering, blocks_of, type_in
from tests.support.warm import run_warm

pytest.importorskip("grpc")

GUIDE = (Path(__file__).parents[2] / "docs/gcp.md").read_text(encoding="utf-8")
SPEC = f"git+https://github.com/example/infra@{'0' * 40}"
ORIGIN = "https://github.com/example/infrastructure.git"
# What a person answers to the questions of the commands.
ANSWERS = {
    "bootstrap": "--auto-approve --project example-infra --admin group:infra-admins@example.com "
    "--environment-project dev=example-dev --environment-project staging=example-staging "
    "--environment-project prod=example-prod",
    "doctor": "--auto-approve",
}
GH = f"""#!/bin/sh
case "$1 $2" in
  "repo create") git init --quiet --initial-branch main infrastructure &&
    git -C infrastructure remote add origin {ORIGIN};;
  "auth token") echo token;;
  "pr create") infra sandbox github open "$(git branch --show-current)";;
  *) exit 1;;
esac
"""


def lines_of(first: int, last: int) -> str:
    """The shell lines of some steps."""
    steps = re.findall(r"^## (\d+)\. .*?(?=^## )", GUIDE, re.MULTILINE | re.DOTALL)
    assert list(map(int, steps)) == list(range(1, 11)), "ten steps"
    sections = re.split(r"^## (?=\d+\. )", GUIDE, flags=re.MULTILINE)[first : last + 1]
    text = "\n".join(block.lines for section in sections for block in blocks_of(section) if not block.reason)
    return text.replace("SPEC", f"'{SPEC}'")


def test_ten_steps_from_an_empty_google_cloud(tmp_path: Path) -> None:
    # On the sandbox there is nothing to lock.
    bin_ = answering(tmp_path / "bin", ANSWERS, {"lock": 3})
    for name, text in {"gcloud": "#!/bin/sh\n", "gh": GH}.items():
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    type_in(lines_of(1, 4), tmp_path, env)
    root = tmp_path / "infrastructure"
    assert load(root).config.environment("prod").apply == "ci"

    reader, writer = os.pipe()
    try:
        launch.start(root / ".infra/sandbox", env, hold=reader)
        os.close(reader)
        ran = run_warm(["sandbox", "up"], root, env)
        assert ran.code == 0, ran.err
        info = attach.require(root / ".infra/sandbox")
        control.call_github(info, "team", name="example/platform", members=["reviewer"])
        (hosted,) = control.call_github(info, "status")["repositories"].values()
        type_in(f"git config url.{hosted['git']}.pushInsteadOf {ORIGIN}", root, env)
        ran = run_warm(["sandbox", "exec", "--", "env", "-0"], root, env)
        attached = dict(line.split("=", 1) for line in ran.out.split("\0") if line)
        text = type_in(lines_of(5, 9), root, attached)
        check_the_end(root, text, attached)
    finally:
        os.close(writer)


def check_the_end(root: Path, text: str, env: Mapping[str, str]) -> None:
    """Accounts are in infra.yaml, GitHub is set up, trunk is protected, and a pull request is open."""
    config = load(root).config
    for name in ("dev", "staging", "prod"):
        assert (
            config.environment(name).accounts.apply
            == f"infra-{name}-apply@example-infra.iam.gserviceaccount.com"
        )
    assert config.accounts.attest
    assert "set environment prod-approval: example/platform may approve" in text
    assert "set variable INFRA_WORKLOAD_IDENTITY_PROVIDER: projects/" in text
    pushed, protected = text.index("so it is not protected: push them"), text.index("set ruleset infra:")
    assert pushed < protected
    assert "may change" not in text.partition("infra affected")[0]
    ran = run_warm(["doctor", "--github", "--json"], root, env)
    bad = [check for check in json.loads(ran.out)["checks"] if check["status"] == "error"]
    assert [check for check in bad if "why" in check] == []
