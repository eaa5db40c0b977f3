"""How the guard goes through code: what is checked once, and how much of it is checked at all."""

from __future__ import annotations

import pytest

from orchestrator.config.rules import Guard
from orchestrator.guard.allowlist import allowed_by
from orchestrator.guard.check import check_project
from orchestrator.guard.code_facts import code_facts
from orchestrator.guard.guarded_code import GuardedCode
from orchestrator.guard.rules import CodeRules
from orchestrator.repository.git import Repository
from orchestrator.repository.hcl.syntax import counted_size
from orchestrator.repository.model import Finding
from tests.support.repo import Repo
from tests.unit.guard.trees import TRUNK, Trees

STACK = "infra/envs/dev/net"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    return Trees(Repository.open(Repo(tmp_path_factory.mktemp("guard"), {"x": ""}).root))


def test_files_beyond_the_limit_of_a_folder_are_refused(trees: Trees) -> None:
    """Each by its name, with how an owner allows it; the trees of the others are all that is held at once."""
    files = {f"{STACK}/{number}.tf": "#" * (MEBIBYTE - number) for number in range(3)}
    project = trees({**TRUNK, **files})
    findings = check_project(project, None, (), Guard()).findings
    assert [(finding.file, finding.line, finding.code) for finding in findings] == [
        (f"{STACK}/{name}", 1, "unreadable") for name in ("2.tf", "main.tf", "versions.tf")
    ]
    assert (
        findings[0].message
        == "What this file holds cannot be determined: the folder has more than 2 MiB of code."
    )
    assert f"guard: {{allow: [{{rule: unreadable, path: {STACK}/2.tf, reason: …}}]}}" in findings[0].advice


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("x.tf", "# {}\n", "1 MiB"),
        ("x.tf.json", '{{"locals": {{"a": "{}"}}}}', "4 MiB"),
        ("x.auto.tfvars", 'a = "{}"\n', "1 MiB"),
    ],
)
def test_a_file_beyond_its_limit_is_refused(trees: Trees, name: str, text: str, limit: str) -> None:
    """What a syntax tree takes is a hundred times the file and more; JSON takes less."""
    most = int(limit[0]) * MEBIBYTE - len(text.format(""))
    code = 'variable "a" {}\nlocals {\n  x = file(var.a)\n}\n' if "tfvars" in name else "# x\n"

    def refused(size: int) -> bool:
        project = trees({**TRUNK, f"{STACK}/main.tf": code, f"{STACK}/{name}": text.format("a" * size)})
        messages = [finding.message for finding in check_project(project, None, (), Guard()).findings]
        return any(f"it is larger than {limit}" in message for message in messages)

    assert refused(most + 1)
    assert not refused(most)


@pytest.mark.parametrize("unit", ["[],", "f(1),", "a?b:c,", '"${a}",', "a.b,", "{a=1},"])
def test_a_file_of_little_but_words_and_signs_is_refused(trees: Trees, unit: str) -> None:
    """Its syntax tree would take several hundred MiB, as one of 1 MiB that people write does not."""

    def refused(text: str) -> bool:
        project = trees({**TRUNK, f"{STACK}/main.tf": f"locals {{\n  a = [\n{text}\n]\n}}\n"})
        messages = [finding.message for finding in check_project(project, None, (), Guard()).findings]
        return any("words and signs" in message for message in messages)

    assert refused(unit * (500_000 // len(unit)))
    assert not refused(unit * (100_000 // len(unit)))


@pytest.mark.parametrize(("count", "refused"), [(2, False), (3, True)])
def test_words_and_signs_count_for_the_folder_too(trees: Trees, count: int, refused: bool) -> None:
    text = "locals {{\n  a{} = [" + "[]," * 100_000 + "]\n}}\n"
    files = {f"{STACK}/{number}.tf": text.format(number) for number in range(count)}
    assert bool(check_project(trees({**TRUNK, **files}), None, (), Guard()).findings) == refused


def test_large_files_that_people_write_are_read() -> None:
    code = 'resource "google_x" "x" {\n  name   = "a-name"\n  labels = local.labels\n  # Why it is so.\n}\n\n'
    data = (code * (1_000_000 // len(code))).encode()
    assert counted_size(data) == len(data)


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


def checked(trees: Trees, levels: int, most_checked: int) -> list[Finding]:
    project = trees({**TRUNK, **doubling(levels)})
    rules = CodeRules(project.tree, allowed_by(Guard(), [project]))
    code = GuardedCode(project, rules, project.coverage.source, most_checked)
    return list(code.stack(project.stacks["dev/net"]))


def test_calls_that_double_are_checked_up_to_a_limit(trees: Trees) -> None:
    """31 calls of modules, and 16 of the last one, whose one path is checked for each."""
    *_, last = checked(trees, 4, 31 + 16)
    assert "too many ways" in last.message
    assert (last.file, last.line, last.code) == (f"{STACK}/main.tf", 1, "unreadable")
    assert "too many ways" not in " ".join(finding.message for finding in checked(trees, 4, 32 + 16))


def test_each_stack_beyond_the_limit_is_refused(trees: Trees) -> None:
    other = "infra/envs/prod/net"
    files = doubling(4)
    files |= {f"{other}/main.tf": files[f"{STACK}/main.tf"], f"{other}/versions.tf": TRUNK_BACKEND}
    project = trees({**TRUNK, **files})
    rules = CodeRules(project.tree, allowed_by(Guard(), [project]))
    code = GuardedCode(project, rules, project.coverage.source, 40)
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
    rules = CodeRules(project.tree, allowed_by(Guard(), [project]))
    code = GuardedCode(project, rules, project.coverage.source)
    findings = [f for f in code.stack(project.stacks["dev/net"]) if f.file == f"{last}/x.tftpl"]
    assert len(findings) == 16
    assert code.template(f"{last}/x.tftpl") is code.template(f"{last}/x.tftpl")


def test_facts_taken_by_discovery_are_those_of_the_guard(trees: Trees) -> None:
    """A project that was read for the guard is checked as one that was not."""
    files = {**TRUNK, f"{STACK}/bad.tf": 'data "http" "x" {\n  url = "https://example.com"\n}\n'}
    plain = trees(files)
    read_for_guard = trees(files, extract=code_facts)
    assert len(read_for_guard.coverage.source.memo.extracted) == 3
    expected = check_project(plain, None, (), Guard()).findings
    assert expected
    assert check_project(read_for_guard, None, (), Guard()).findings == expected
