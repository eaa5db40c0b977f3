"""docs/security.md: each sentence that protects names a test that exists; its jobs are the workflows'."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import Any

from orchestrator.forge.github.workflows import render
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support.workflows import SOURCE, read_yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TEXT, _, NOTES = PAGE.partition("## Where this is tested\n")
LIMITS = "What cannot be guaranteed"


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """The tests of a file: functions of a Python file, `run` blocks of a Terraform test."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return frozenset(re.findall(r'^run "(\w+)" \{', text, re.MULTILINE))
    tests = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in tests if node.name.startswith("test_"))


def exists(reference: str) -> bool:
    """Whether `PATH::NAME` is a test; a name in a file that is not there is none."""
    path, _, name = reference.partition("::")
    return (ROOT / path).is_file() and name in names_in(ROOT / path)


def sentences() -> list[str]:
    """The rows of tables and the list items, but for those of the section of limits."""
    protecting = "\n".join(
        part for part in re.split(r"^(?=## )", TEXT, flags=re.MULTILINE) if LIMITS not in part.split("\n")[0]
    )
    items = re.findall(r"^(?:[-|]|\d+\.) .*(?:\n {2,}\S.*)*", protecting, re.MULTILINE)
    header = re.compile(r"\| -|\| (Workflow and job|Value|Attempt) \|")
    return [item for item in items if not header.match(item)]


def test_each_test_that_is_named_exists() -> None:
    references = re.findall(r"`([^`\s]+::\w+)`", PAGE)
    assert len(references) > 100
    assert [reference for reference in references if not exists(reference)] == []


def test_each_note_is_used_and_names_tests_only() -> None:
    notes = dict(re.findall(r"^\[\^([\w-]+)\]: (.*)$", NOTES, re.MULTILINE))
    assert set(re.findall(r"\[\^([\w-]+)\]", TEXT)) == set(notes)
    assert [
        note for note, text in notes.items() if not re.fullmatch(r"`\S+::\w+`(, `\S+::\w+`)*", text)
    ] == []


def test_each_sentence_names_its_test() -> None:
    """Or says that it has none."""
    assert len(sentences()) > 80
    assert [item for item in sentences() if "[^" not in item and "(not tested" not in item] == []


def jobs() -> dict[tuple[str, str], dict[str, Any]]:
    """Every job with steps of the workflows, by workflow and name, with ENV for the environment."""
    files = render(WorkflowTarget("example/infrastructure", "main", ("prod",)), SOURCE)
    return {
        (Path(path).stem.replace("-prod", "-ENV"), name.replace("-prod", "-ENV")): job
        for path, text in files.items()
        for name, job in read_yaml(text)["jobs"].items()
        if "steps" in job
    }


def test_the_table_of_jobs_equals_the_workflows() -> None:
    rows = re.findall(r"^\| `(infra-\S+)` `(\S+)` \| (.*?) \| (.*?) \| ", TEXT, re.MULTILINE)
    documented = {
        (workflow, job): ("none" not in account, frozenset(re.findall(r"`([\w-]+)`", writes)))
        for workflow, job, account, writes in rows
    }
    actual = {
        key: (
            "id-token" in job["permissions"],
            frozenset(
                name for name, level in job["permissions"].items() if level == "write" and name != "id-token"
            ),
        )
        for key, job in jobs().items()
    }
    assert documented == actual
