"""How the guard goes through code: what is judged once, and how much of it is judged at all."""

from __future__ import annotations

import pytest

from orchestrator.config.rules import Guard
from orchestrator.guard.allowed import allowed_by
from orchestrator.guard.check import check_project
from orchestrator.guard.code_facts import code_facts
from orchestrator.guard.modules import Code
from orchestrator.guard.rules import Judge
from orchestrator.project.git import Repository
from orchestrator.project.model import Finding
from tests.support.repo import Repo
from tests.unit.guard.trees import TRUNK, Trees

STACK = "infra/envs/dev/net"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    return Trees(Repository.open(Repo(tmp_path_factory.mktemp("guard"), {"x": ""}).root))


def test_files_beyond_the_limit_of_a_folder_are_refused(trees: Trees) -> None:
    """Each by its name, with how an owner allows it; the trees of the others are all that is held at once."""
    files = {f"{STACK}/{number}.tf": "#" * (2 * MEBIBYTE - number) for number in range(3)}
    project = trees({**TRUNK, **files})
    findings = check_project(project, None, (), Guard()).findings
    assert [(finding.file, finding.line, finding.code) for finding in findings] == [
        (f"{STACK}/{name}", 1, "unreadable") for name in ("2.tf", "main.tf", "versions.tf")
    ]
    assert (
        findings[0].message == "What this file holds cannot be told: the folder has more than 4 MiB of code."
    )
    assert f"guard: {{allow: [{{rule: unreadable, path: {STACK}/2.tf, reason: …}}]}}" in findings[0].advice


def doubling(levels: int) -> dict[str, str]:
    """Modules that call the next one twice, so that the last one is called 2^levels times."""
    call = 'module "{name}" {{\n  source = "{source}"\n  path   = "${{var.path}}{name}"\n}}\n'
    variable = 'variable "path" {\n  default = "a"\n}\n'
    files = {
        f"{STACK}/main.tf": variable + call.format(name="a", source="../../../modules/m0"),
    }
    for level in range(levels):
        calls = "".join(call.format(name=name, source=f"../m{level + 1}") for name in "ab")
        files[f"infra/modules/m{level}/main.tf"] = variable + calls
    files[f"infra/modules/m{levels}/main.tf"] = variable + 'output "x" {\n  value = file(var.path)\n}\n'
    return files


def judged(trees: Trees, levels: int, most_judged: int) -> list[Finding]:
    project = trees({**TRUNK, **doubling(levels)})
    judge = Judge(project.tree, allowed_by(Guard(), [project]))
    code = Code(project, judge, project.coverage.source, most_judged)
    return list(code.stack(project.stacks["dev/net"]))


def test_calls_that_double_are_judged_up_to_a_limit(trees: Trees) -> None:
    """31 calls of modules, and 16 of the last one, whose one path is judged for each."""
    *_, last = judged(trees, 4, 31 + 16)
    assert "too many ways" in last.message
    assert (last.file, last.line, last.code) == (f"{STACK}/main.tf", 1, "unreadable")
    assert "too many ways" not in " ".join(finding.message for finding in judged(trees, 4, 32 + 16))


def test_each_stack_beyond_the_limit_is_refused(trees: Trees) -> None:
    other = "infra/envs/prod/net"
    files = doubling(4)
    files |= {f"{other}/main.tf": files[f"{STACK}/main.tf"], f"{other}/versions.tf": TRUNK_BACKEND}
    project = trees({**TRUNK, **files})
    judge = Judge(project.tree, allowed_by(Guard(), [project]))
    code = Code(project, judge, project.coverage.source, 40)
    findings = [finding for stack in project.stacks.values() for finding in code.stack(stack)]
    assert [finding.stack for finding in findings if "too many ways" in finding.message] == [
        "dev/net",
        "prod/net",
    ]


TRUNK_BACKEND = str(TRUNK[f"{STACK}/versions.tf"])


def test_a_template_is_read_once_for_all_who_use_it(trees: Trees) -> None:
    files = doubling(4)
    last = "infra/modules/m4"
    files[f"{last}/main.tf"] = (
        'variable "path" {}\noutput "x" {\n  value = templatefile("${path.module}/x.tftpl", {})\n}\n'
        'output "y" {\n  value = fileexists(var.path)\n}\n'
    )
    project = trees({**TRUNK, **files, f"{last}/x.tftpl": "${file(y)}"})
    judge = Judge(project.tree, allowed_by(Guard(), [project]))
    code = Code(project, judge, project.coverage.source)
    findings = [f for f in code.stack(project.stacks["dev/net"]) if f.file == f"{last}/x.tftpl"]
    assert len(findings) == 16
    assert code.template(f"{last}/x.tftpl") is code.template(f"{last}/x.tftpl")


def test_facts_taken_by_discovery_are_those_of_the_guard(trees: Trees) -> None:
    """A project that was read for the guard is judged as one that was not."""
    files = {**TRUNK, f"{STACK}/bad.tf": 'data "http" "x" {\n  url = "https://example.com"\n}\n'}
    plain = trees(files)
    read_for_guard = trees(files, extract=code_facts)
    assert len(read_for_guard.coverage.source.memo.extracted) == 3
    expected = check_project(plain, None, (), Guard()).findings
    assert expected
    assert check_project(read_for_guard, None, (), Guard()).findings == expected
