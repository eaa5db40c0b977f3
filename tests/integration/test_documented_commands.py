"""The shell blocks of the pages, typed one after the other in one repository on one sandbox.

A block that cannot run here has a reason in its info string: ```` ```sh no-run: REASON ````. The blocks of
docs/gcp.md run in `test_gcp_guide.py`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.repo import Repo
from tests.support.typed import answering, blocks_of, type_in
from tests.support.warm import run_warm

pytest.importorskip("grpc")

ROOT = Path(__file__).parents[2]
PAGES = {
    page.name: blocks_of(page.read_text(encoding="utf-8"))
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
ELSEWHERE = {"gcp.md"}
# A page may have so many blocks without a run, all pages together.
MOST_MARKED = 15

RESOURCE = """
terraform {{
  backend "gcs" {{}}
}}
resource "{}" "this" {{
  {}
}}
"""
TOPICS = """
terraform {
  backend "gcs" {}
}
resource "google_pubsub_topic" "orders" {
  name                       = "orders"
  project                    = "example-prod"
  message_retention_duration = "600s"
}
resource "google_pubsub_topic" "audit" {
  name    = "audit"
  project = "example-prod"
}
"""
WEB = """
terraform {
  backend "gcs" {}
}
output "x" {
  value = 1
}
"""
INFRA = """
backend: {gcs: {bucket: acme-state}}
environments:
  dev: {}
  prod: {unapproved: apply}
guard: {local: "off"}
"""
STACKS = {
    ".github/CODEOWNERS": "infra/envs/ @acme/network\n",
    "infra/modules/network/main.tf": 'variable "name" {\n  type = string\n}\n',
    "infra/envs/dev/network/main.tf": RESOURCE.format(
        "google_compute_network", 'name    = "main"\n  project = "example-dev"'
    ),
    "infra/envs/prod/network/main.tf": RESOURCE.format(
        "google_compute_network", 'name    = "edge"\n  project = "example-prod"'
    ),
    "infra/envs/prod/events/main.tf": TOPICS,
}
# What a person answers to the questions of a command, and exit codes that the page speaks of.
ANSWERS = {
    "sandbox -- infra ci": "",
    "sandbox -- infra apply": "--auto-approve",
    "apply": "--auto-approve",
    "drift --fix": "--auto-approve --confirm prod",
    "state move": "--auto-approve",
}
CODES = {"drift": 8}
# What stands for a value that only the reader knows.
VALUES = {
    "SPEC": f"'git+https://github.com/example/infra@{'0' * 40}'",
    "DIGEST": "0" * 64,
    "/var/lib/node_exporter": ".",
    "FOLDER": '"$(infra sandbox github status --json | sed -n \'s/.*"git": "\\([^"]*\\)".*/\\1/p\')"',
}
# What is there already before a page begins. The pages follow each other in this order.
BEFORE = {
    "sandbox.md": "git switch -q -c my-branch && echo '# A change' >> infra/envs/dev/network/main.tf && "
    "git commit -qam 'Change the network'",
    "drift.md": "infra sandbox world set orders message_retention_duration '\"900s\"'\n"
    "infra sandbox world delete audit\necho '[]' > changes.json",
    "README.md": "",
    "any-ci.md": "",
    "ledger.md": f"mkdir -p infra/envs/dev/web && printf %s '{WEB}' > infra/envs/dev/web/main.tf\n"
    "echo 'stacks: {dev/web: {backend: {gcs: {bucket: acme-state, prefix: dev/old/web}}}}' >> infra.yaml\n"
    "infra apply dev/web\n"
    "git checkout -q infra.yaml",
}


@dataclass(frozen=True)
class Desk:
    """A repository, and the environment of a shell in it."""

    repo: Repo
    env: Mapping[str, str]

    def type_page(self, name: str, env: Mapping[str, str]) -> None:
        """Type what is there before a page, and the blocks of the page."""
        lines = "\n".join((BEFORE.get(name, ""), *(block.lines for block in PAGES[name] if not block.reason)))
        for word, value in VALUES.items():
            lines = re.sub(rf"(?<!\w){word}(?!\w)", value.replace("\\", r"\\"), lines)
        type_in(lines, self.repo.root, env)
        type_in("git switch -q main && git reset -q --hard && git clean -qfd", self.repo.root, env)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A repository whose sandbox ends with us."""
    folder = tmp_path_factory.mktemp("documented")
    # The rules of a change are those of the commit before it.
    repo = Repo(folder / "shop", {"infra.yaml": INFRA, ".gitignore": ".infra/\n"})
    repo.commit(STACKS, "The stacks")
    repo.git("remote", "add", "origin", "https://github.com/acme/shop.git")
    programs = answering(folder / "bin", ANSWERS, CODES)
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    try:
        yield Desk(repo, env)
    finally:
        run_warm(["sandbox", "down"], repo.root, env)


def test_the_blocks_of_the_pages_run(desk: Desk) -> None:
    desk.type_page("sandbox.md", desk.env)
    ran = run_warm(["sandbox", "exec", "--", "env", "-0"], desk.repo.root, desk.env)
    attached = dict(line.split("=", 1) for line in ran.out.split("\0") if line)
    for name in [*BEFORE, *sorted(PAGES.keys() - BEFORE.keys())]:
        if name != "sandbox.md" and name not in ELSEWHERE:
            desk.type_page(name, attached)


def test_blocks_that_do_not_run_have_a_reason_and_are_few() -> None:
    marked = [block for blocks in PAGES.values() for block in blocks if block.info]

    assert [block.info for block in marked if not re.fullmatch(r"no-run: .{8,}", block.info)] == []
    assert len(marked) <= MOST_MARKED
    paths = [path for block in marked for path in re.findall(r"tests/\S+\.py", block.reason)]
    assert [path for path in paths if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_shell_can_read_every_block(page: str) -> None:
    for block in PAGES[page]:
        assert shlex.split(block.lines, comments=True)
