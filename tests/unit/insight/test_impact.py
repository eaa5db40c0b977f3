"""Which stacks a change reaches, and by which chain."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.insight.impact import find_impact, find_target
from orchestrator.repository.loading import load
from orchestrator.repository.model import Project
from tests.conftest import MakeRepo
from tests.support.insight import FILES


@pytest.fixture
def project(make_repo: MakeRepo) -> Project:
    return load(make_repo(FILES).root)


def chains(project: Project, name: str, folder: str = "") -> list[tuple[str, int, str]]:
    target = find_target(project, name, project.root / folder)
    return [(stack.id, stack.distance, " ".join(stack.chain)) for stack in find_impact(project, target)]


def test_a_module_reaches_its_callers_and_who_reads_them(project: Project) -> None:
    base, inner = "infra/modules/base", "infra/modules/inner"
    assert chains(project, "inner") == chains(project, f"{inner}/") == chains(project, "../inner", base)
    assert chains(project, "inner") == [
        ("dev/net", 0, f"{inner} {base} dev/net"),
        ("prod/net", 0, f"{inner} {base} prod/net"),
        ("dev/app", 1, f"{inner} {base} dev/net dev/app"),
    ]


def test_a_stack_reaches_its_readers(project: Project) -> None:
    assert chains(project, "dev/net") == [("dev/net", 0, "dev/net"), ("dev/app", 1, "dev/net dev/app")]
    assert chains(project, "prod") == [("prod/net", 0, "prod/net")]
    (_, reader) = find_impact(project, find_target(project, "dev/net", project.root))
    assert (reader.outputs, reader.owners) == (("id",), ("@acme/all",))


def test_a_file_reaches_who_reads_it(project: Project) -> None:
    path = "infra/modules/inner/main.tf"
    assert [row[0] for row in chains(project, path)] == ["dev/net", "prod/net", "dev/app"]
    assert chains(project, path) == chains(project, "main.tf", "infra/modules/inner")
    assert chains(project, "infra/envs/dev/app/main.tf") == [
        ("dev/app", 0, "infra/envs/dev/app/main.tf dev/app")
    ]
    assert chains(project, ".github/CODEOWNERS") == []


@pytest.mark.parametrize("name", ["nothing", "infra.yaml", "../elsewhere", "/etc/passwd", ""])
def test_what_means_nothing_is_refused(project: Project, name: str) -> None:
    with pytest.raises(UsageError):
        find_target(project, name, project.root)
