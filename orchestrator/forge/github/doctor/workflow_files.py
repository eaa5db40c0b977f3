"""Parses workflow files of GitHub Actions into jobs and steps with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.errors import ConfigError
from orchestrator.repository.tree import Tree

FOLDER = ".github/workflows"
SUFFIXES = (".yml", ".yaml")


@dataclass(frozen=True)
class WorkflowStep:
    """One step. `inputs` is its `with`, `directory` its working directory as written."""

    line: int
    uses: str = ""
    run: str = ""
    run_line: int = 0
    directory: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    input_lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkflowJob:
    """One job; `uses` is the workflow that it calls. `permissions` is None when it says nothing."""

    name: str
    line: int
    steps: tuple[WorkflowStep, ...] = ()
    uses: str = ""
    uses_line: int = 0
    permissions: Any = None
    concurrency: Any = None
    environment: str = ""

    @property
    def commands(self) -> str:
        """Everything that its steps run, as one text."""
        return "\n".join(step.run for step in self.steps)

    def may(self, what: str, right: str) -> bool:
        """Whether its own permissions give a right."""
        if self.permissions == f"{right}-all":
            return True
        return isinstance(self.permissions, Mapping) and self.permissions.get(what) == right


@dataclass(frozen=True)
class Workflow:
    """One workflow file. `problem` says why it could not be read; the rest is then empty."""

    file: str
    name: str
    events: frozenset[str] = frozenset()
    jobs: tuple[WorkflowJob, ...] = ()
    permissions: Any = None
    concurrency: Any = None
    problem: str = ""


def read_workflows(tree: Tree) -> list[Workflow]:
    """Reads the workflows of a tree, by file name."""
    workflows = []
    for name in tree.files(FOLDER):
        real = tree.find(f"{FOLDER}/{name}")
        if real is not None and name.endswith(SUFFIXES):
            workflows.append(parse_workflow(f"{FOLDER}/{name}", tree.read(real).decode("utf-8", "replace")))
    return workflows


def parse_workflow(file: str, text: str) -> Workflow:
    """Parses one file."""
    import yaml

    from orchestrator.config.yaml_document import compose_document

    name = file.rpartition("/")[2]
    try:
        root = compose_document(text, file)
        top = _entries(root)
        if root is None or not top:
            return Workflow(file, name, problem="it is no workflow")
        return Workflow(
            file,
            name,
            events=frozenset(_events(_value(top.get("on")))),
            jobs=tuple(_job(key, node) for key, node in _entries(top.get("jobs")).items()),
            permissions=_value(top.get("permissions")),
            concurrency=_value(top.get("concurrency")),
        )
    except (yaml.YAMLError, ConfigError) as error:
        return Workflow(file, name, problem=f"it does not parse: {str(error).splitlines()[0]}")


def _job(name: str, node: Any) -> WorkflowJob:
    entries = _entries(node)
    uses = entries.get("uses")
    environment = _value(entries.get("environment"))
    return WorkflowJob(
        name=name,
        line=_line(node),
        steps=tuple(_step(step_node) for step_node in _list(entries.get("steps"))),
        uses=_text(uses),
        uses_line=_line(uses),
        permissions=_value(entries.get("permissions")),
        concurrency=_value(entries.get("concurrency")),
        environment=str(environment.get("name", "")) if isinstance(environment, dict) else environment or "",
    )


def _step(node: Any) -> WorkflowStep:
    entries = _entries(node)
    run, inputs = entries.get("run"), _entries(entries.get("with"))
    return WorkflowStep(
        line=_line(node),
        uses=_text(entries.get("uses")),
        run=_text(run),
        run_line=_line(run) + (1 if getattr(run, "style", None) in ("|", ">") else 0),
        directory=_text(entries.get("working-directory")),
        inputs={key: _text(value) for key, value in inputs.items()},
        input_lines={key: _line(value) for key, value in inputs.items()},
    )


def _entries(node: Any) -> dict[str, Any]:
    """A mapping's keys with their nodes. The key `on` stays a string: no value is interpreted."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def _value(node: Any) -> Any:
    """A node as plain data, every scalar as the text in the file."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return {key: _value(value) for key, value in _entries(node).items()}
    if isinstance(node, yaml.SequenceNode):
        return [_value(child) for child in node.value]
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _events(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        yield from (str(name) for name in value)


def _list(node: Any) -> list[Any]:
    import yaml

    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _text(node: Any) -> str:
    value = _value(node)
    return value if isinstance(value, str) else ""


def _line(node: Any) -> int:
    return node.start_mark.line + 1 if node is not None else 0
