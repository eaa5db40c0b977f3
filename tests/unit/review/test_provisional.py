"""Which plans may still change: chains of outputs that move."""

from __future__ import annotations

from orchestrator.report.model import Result, StackReport
from orchestrator.repository.loading import load
from orchestrator.review.provisional import find_provisional
from tests.conftest import MakeRepo

HEAD = 'terraform {\n  backend "gcs" {}\n}\n'


def reading(source: str, output: str) -> str:
    return (
        HEAD
        + 'data "terraform_remote_state" "up" {\n  backend = "gcs"\n  config = {\n    bucket = "b"\n'
        + f'    prefix = "dev/state/{source}"\n  }}\n}}\n'
        + f'output "o" {{\n  value = data.terraform_remote_state.up.outputs.{output}\n}}\n'
    )


FILES = {
    "infra.yaml": "version: 1\nbackend:\n  gcs: {bucket: b}\n",
    "infra/envs/dev/a/main.tf": HEAD + 'output "o" {\n  value = 1\n}\noutput "p" {\n  value = 1\n}\n',
    "infra/envs/dev/b/main.tf": reading("a", "o"),
    "infra/envs/dev/c/main.tf": reading("b", "o"),
    "infra/envs/dev/d/main.tf": reading("a", "p"),
}


def report(id_: str, result: Result, *outputs: str) -> dict[str, StackReport]:
    return {id_: StackReport(id_, "dev", result, outputs=outputs)}


def test_a_chain_moves_to_its_end(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    moved = {"dev/b": ("dev/a",), "dev/c": ("dev/b",)}
    assert find_provisional(project, report("dev/a", "changed", "o")) == moved
    assert find_provisional(project, report("dev/a", "changed", "o") | report("dev/b", "unchanged")) == moved


def test_what_is_not_read_moves_nobody(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    assert find_provisional(project, report("dev/a", "changed")) == {}
    assert find_provisional(project, report("dev/a", "unchanged", "o")) == {}
    assert find_provisional(project, report("dev/a", "failed", "o")) == {}
    assert find_provisional(project, report("dev/a", "changed", "p")) == {"dev/d": ("dev/a",)}


def test_what_waits_and_what_another_job_plans_may_move(make_repo: MakeRepo) -> None:
    project = load(make_repo(FILES).root)
    assert find_provisional(project, report("dev/b", "waiting")) == {"dev/c": ("dev/b",)}
    provisional = find_provisional(project, {}, elsewhere=["dev/a"])
    assert provisional == {"dev/b": ("dev/a",), "dev/c": ("dev/b",), "dev/d": ("dev/a",)}
