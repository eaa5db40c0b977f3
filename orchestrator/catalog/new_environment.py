"""Copies an environment: its stacks' code, with what differs, and its settings in infra.yaml."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.catalog.creation import list_environments
from orchestrator.catalog.entries import find_entry
from orchestrator.catalog.record import RECORD_FILE, parse_record, record_rendering
from orchestrator.catalog.update import render_record
from orchestrator.config import FILE_NAME, load_text
from orchestrator.errors import ProjectError, UsageError
from orchestrator.repository.discovery import nearest
from orchestrator.repository.hcl import read_values
from orchestrator.repository.loading import read_tree
from orchestrator.repository.model import Project
from orchestrator.repository.tree import Tree
from orchestrator.scaffold.environment_settings import add_environment
from orchestrator.scaffold.module import NAME

_VALUES = re.compile(r"(^|/)[^/]+\.tfvars(\.json)?$")
_SCALAR = re.compile(r'"[^"\\$%]*"|-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false')
_JSON = ".json"
_LOCK_FILE = ".terraform.lock.hcl"
# After `dev`: files of the operating system, which no environment is named after.
_DEVICES = r"/(?:null|zero|stdin|stdout|stderr|u?random|tty|shm|fd)\b"


@dataclass(frozen=True)
class EnvironmentRequest:
    """What to make: the environment `name`, as `source` is, behind `after` in the promotion order.

    `data` maps variables to values; `STACK/VARIABLE` is the value in one stack. `ask` gets a question and
    the default, and returns the answer; without it each value that differs takes its default.
    """

    name: str
    source: str
    after: str
    data: Mapping[str, str] = field(default_factory=dict)
    ask: Callable[[str, str], str] | None = None


@dataclass(frozen=True)
class CopiedValue:
    """The value of a variable in one stack of the new environment, and in the one that was copied."""

    stack: str
    variable: str
    value: str
    source_value: str


@dataclass(frozen=True)
class NewEnvironment:
    """`files` are new contents by path, `links` what new symbolic links hold.

    `values` are those that differ from the copied environment's. `to_check` are variables that differ between
    environments and were copied as they are: lists and maps, and single values that nobody gave or was asked
    for.
    """

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    stacks: tuple[str, ...]
    values: tuple[CopiedValue, ...]
    to_check: tuple[str, ...]


def render_environment(project: Project, request: EnvironmentRequest) -> NewEnvironment:
    """The files of the new environment, infra.yaml included; nothing is written.

    Raises UsageError for a name, an environment or a value that is wrong, ProjectError for an environment
    whose stacks are not in folders of its own, or whose copy would share a state with another stack.
    """
    folder, target = _folders(project, request)
    paths = [path for path in project.tree.below(folder) if path not in project.tree.links]
    values = _Values(project, request, folder)
    files: dict[str, bytes] = {}
    for path in paths:
        content = project.tree.read(path)
        # Checksums of providers hold no name of an environment.
        if posixpath.basename(path) != _LOCK_FILE:
            content = _rename(content, request)
        if _VALUES.search(path):
            content = values.replace(path, content)
        below = path.removeprefix(folder)
        new_path = f"{target}{_rename_file(below, request.source, request.name)}"
        files[new_path] = content
    values.require_used()
    for path in [path for path in paths if posixpath.basename(path) == RECORD_FILE]:
        below = posixpath.dirname(path)
        new_path = f"{target}{path.removeprefix(folder)}"
        files[new_path] = _copy_record(project, request, path, values.of_folder(below))
    settings = project.tree.read(FILE_NAME).decode() if project.tree.find(FILE_NAME) else ""
    # By default the last environment is protected: a copy of it is, wherever it stands.
    protected = project.config.is_protected(request.source, project.order)
    added = add_environment(
        settings,
        request.name,
        request.source,
        request.after,
        known=list_environments(project),
        protected=protected,
    )
    files[FILE_NAME] = added.encode()
    links = dict(_copy_links(project, folder, target))
    stacks = _check_copy(project, request, files, links)
    return NewEnvironment(files, links, stacks, tuple(values.changed), tuple(values.to_check()))


def _folders(project: Project, request: EnvironmentRequest) -> tuple[str, str]:
    """The folder to copy, and the new one."""
    known = list_environments(project)
    for name in (request.source, request.after):
        if name not in known:
            advice = nearest(name, list(known)) or "`infra list` shows the environments."
            raise UsageError(f"There is no environment {name!r}.", advice=advice)
    if not NAME.fullmatch(request.name):
        raise UsageError(
            f"{request.name!r} cannot be an environment's name.",
            advice="Use lower-case letters, digits and single hyphens, beginning with a letter: qa.",
        )
    envs = str(project.config.roots.envs)
    folder, target = posixpath.join(envs, request.source), posixpath.join(envs, request.name)
    if request.name in known or (project.root / target).exists():
        raise UsageError(f"The environment {request.name} exists already.", advice="Choose another name.")
    stacks = list(project.of(request.source))
    elsewhere = [stack.id for stack in stacks if not f"{stack.path}/".startswith(f"{folder}/")]
    if elsewhere or not stacks:
        names = ", ".join(elsewhere[:4])
        raise ProjectError(
            f"{names} of {request.source} is not in {folder}." if stacks else f"{request.source} is empty.",
            advice="`stacks: {NAME: {environments: {ENV: …}}}` in infra.yaml gives such a stack another one.",
        )
    return folder, target


def _copy_links(project: Project, folder: str, target: str) -> Iterator[tuple[str, str]]:
    """The links of the new environment: to its own files, or where those of the copied one lead.

    Both folders are in one folder, so that a relative path out of them leads to the same file.
    Raises ProjectError for a link out of the project.
    """
    for path in project.tree.below(folder):
        if path not in project.tree.links:
            continue
        goal = project.tree.resolve(path)
        if not isinstance(goal, str):
            raise ProjectError(
                f"{path} is a link that leads out of the project, or in a circle.",
                advice="Put the file into the project.",
            )
        link = f"{target}{path.removeprefix(folder)}"
        if goal.startswith(f"{folder}/"):
            own = f"{target}{goal.removeprefix(folder)}"
            yield link, posixpath.relpath(own, posixpath.dirname(link))
        else:
            yield link, project.tree.links[path]


def _rename_file(path: str, old: str, new: str) -> str:
    """A path whose file name is the new environment's, if it is a variable file named after the old one."""
    folder, slash, file_name = path.rpartition("/")
    is_named = _VALUES.search(path) and file_name.partition(".")[0] == old
    return f"{folder}{slash}{new}{file_name.removeprefix(old)}" if is_named else path


def _rename(content: bytes, request: EnvironmentRequest) -> bytes:
    """The content with the new name where the old one stands as a word, except at the end of a host name."""
    old = re.escape(request.source)
    host = re.compile(rf'(?<=["/@])((?:[A-Za-z0-9-]+[.])+){old}(?=[/:"\s]|$)')
    word = re.compile(rf"(?<![A-Za-z0-9]){old}(?![A-Za-z0-9]|{_DEVICES})")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    parts, position = [], 0
    for match in host.finditer(text):
        # As in europe-west1-docker.pkg.dev: a top-level domain.
        parts += [word.sub(request.name, text[position : match.end(1)]), request.source]
        position = match.end()
    return "".join([*parts, word.sub(request.name, text[position:])]).encode()


class _Values:
    """The values of variables in the new environment: given, answered, or those of the copied one."""

    def __init__(self, project: Project, request: EnvironmentRequest, folder: str) -> None:
        self._project = project
        self._request = request
        self._folder = folder
        self._answers: dict[tuple[str, str, bool], str] = {}
        self._used: set[str] = set()
        self._to_check: list[str] = []
        self.changed: list[CopiedValue] = []

    def replace(self, path: str, content: bytes) -> bytes:
        """The content of a variable file with the values of the new environment."""
        before, after = _read_sources(path, self._project.tree.read(path)), _read_sources(path, content)
        stack = posixpath.dirname(path.removeprefix(f"{self._folder}/"))
        replaced: dict[str, str] = {}
        for variable, default in after.items():
            source_value = before.get(variable, "")
            is_given = variable in self._request.data or f"{stack}/{variable}" in self._request.data
            differs = self._differs(path, variable, source_value)
            if not (is_given or differs or default != source_value):
                continue
            is_single = _SCALAR.fullmatch(default)
            value = self._value(stack, variable, default, path) if is_single else default
            if value != default:
                replaced[variable] = value
            if is_single and value != source_value:
                self.changed.append(CopiedValue(stack, variable, value, source_value))
            elif not is_single or not (is_given or self._request.ask):
                self._to_check.append(f"{path.removeprefix(f'{self._folder}/')}: {variable}")
        return _write_values(path, content, replaced)

    def _differs(self, path: str, variable: str, source_value: str) -> bool:
        """Whether another environment has another value of the same variable in the same file."""
        envs = str(self._project.config.roots.envs)
        for environment in list_environments(self._project):
            below = path.removeprefix(self._folder)
            other = f"{envs}/{environment}{_rename_file(below, self._request.source, environment)}"
            if environment == self._request.source or self._project.tree.find(other) is None:
                continue
            values = _read_sources(other, self._project.tree.read(other))
            if variable in values and values[variable] != source_value:
                return True
        return False

    def _value(self, stack: str, variable: str, default: str, path: str) -> str:
        is_json = path.endswith(_JSON)
        for key in (f"{stack}/{variable}", variable):
            if key in self._request.data:
                self._used.add(key)
                return _literal(self._request.data[key], default, is_json=is_json)
        if self._request.ask is None:
            return default
        # One answer for all stacks with the same value.
        question = (variable, default, is_json)
        if question not in self._answers:
            plain = json.loads(default) if default.startswith('"') else default
            answer = self._request.ask(f"{variable} ({stack})", plain)
            self._answers[question] = _literal(answer, default, is_json=is_json)
        return self._answers[question]

    def require_used(self) -> None:
        """Raises UsageError for a value that no variable file of the environment has."""
        unused = sorted(self._request.data.keys() - self._used)
        if unused:
            raise UsageError(
                f"--data {unused[0]}: no stack of {self._request.source} has a single value of this name.",
                advice="Give VARIABLE=VALUE, or STACK/VARIABLE=VALUE, as terraform.tfvars has it.",
            )

    def of_folder(self, folder: str) -> Mapping[str, str]:
        """The changed values of a stack's folder by variable, strings without their quotes."""
        stack = folder.removeprefix(f"{self._folder}/")
        return {
            change.variable: json.loads(change.value) if change.value.startswith('"') else change.value
            for change in self.changed
            if change.stack == stack
        }

    def to_check(self) -> Iterator[str]:
        """Variables that differ between environments and were copied: the file and the name of each."""
        yield from dict.fromkeys(self._to_check)


def _read_sources(path: str, content: bytes) -> dict[str, str]:
    """The values of a variable file as they are written; of JSON, in the one form of `json.dumps`."""
    if not path.endswith(_JSON):
        return {name: attribute.source for name, attribute in read_values(path, content).attributes.items()}
    return {name: json.dumps(value, ensure_ascii=False) for name, value in _read_json(content).items()}


def _read_json(content: bytes) -> dict[str, Any]:
    """The object of a JSON file; empty for what is none, of which nothing is replaced."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _write_values(path: str, content: bytes, values: Mapping[str, str]) -> bytes:
    """The variable file with other values, which are as `_read_sources` has them."""
    if not values:
        return content
    if path.endswith(_JSON):
        document = {**_read_json(content), **{name: json.loads(value) for name, value in values.items()}}
        indent = re.search(rb"\n([ \t]+)", content)
        text = json.dumps(document, indent=indent.group(1).decode() if indent else None, ensure_ascii=False)
        return f"{text}\n".replace("\n", "\r\n" if b"\r\n" in content else "\n").encode()
    attributes = read_values(path, content).attributes
    lines = content.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    for name, value in values.items():
        attribute = attributes[name]
        lines[attribute.line - 1] = _replace_value(lines[attribute.line - 1], attribute.source, value)
    return "".join(lines).encode("utf-8", "surrogateescape")


def _literal(text: str, default: str, *, is_json: bool) -> str:
    """A value as Terraform writes it: a string where the default is one. In JSON `${` is no template."""
    if default.startswith('"'):
        if not text.isprintable():
            raise UsageError(f"{text!r} cannot be a value.", advice="Use one line of printable characters.")
        literal = json.dumps(text, ensure_ascii=False)
        return literal if is_json else literal.replace("${", "$${").replace("%{", "%%{")
    if not _SCALAR.fullmatch(text) or text.startswith('"'):
        raise UsageError(f"{text!r} is not a number or a truth value.", advice=f"It is {default} there.")
    return text


def _replace_value(line: str, default: str, value: str) -> str:
    name, equals, rest = line.partition("=")
    return f"{name}{equals}{rest.replace(default, value, 1)}"


def _copy_record(
    project: Project, request: EnvironmentRequest, path: str, changed: Mapping[str, str]
) -> bytes:
    """The record of a stack that was made from a template, as if it had been made in the new environment."""
    record = parse_record(project.tree.read(path), path)
    entry = find_entry(project, record.template)
    answers: dict[str, Any] = {
        key: changed.get(key, request.name if key == "environment" else value)
        for key, value in record.answers.items()
    }
    rendering = render_record(project, entry, replace(record, answers=answers), record.version, {})
    return record_rendering(record.template, record.source, record.version, rendering).render()


def _check_copy(
    project: Project, request: EnvironmentRequest, files: Mapping[str, bytes], links: Mapping[str, str]
) -> tuple[str, ...]:
    """The stacks of the new environment, as the project would have them.

    Raises ProjectError where one has the state of another stack or is missing, UsageError where another
    environment would lose its protection.
    """
    ids = {**project.tree.ids, **{path: hashlib.sha256(data).hexdigest() for path, data in files.items()}}

    def read(path: str) -> bytes:
        return files[path] if path in files else project.tree.read(path)

    all_links = {**project.tree.links, **links}
    tree = Tree(ids, read, links=all_links, submodules=project.tree.submodules)
    copy = read_tree(project.repository, tree, config=load_text(files[FILE_NAME].decode()))
    for environment in project.order.all:
        was_protected = project.config.is_protected(environment, project.order)
        if was_protected and not copy.config.is_protected(environment, copy.order):
            raise UsageError(
                f"{environment} would no longer be protected, as it is by being the last environment.",
                advice=f"Set `protected: true` for it in infra.yaml, or add {request.name} before it.",
            )
    states = {stack.state: stack.id for stack in project.stacks.values() if stack.state}
    for stack in copy.of(request.name):
        if stack.state in states:
            raise ProjectError(
                f"{stack.id} would have the state of {states[stack.state]}: {stack.state}.",
                advice="The code or infra.yaml names it; use {environment} in `backend.gcs.prefix`.",
            )
    expected = [stack.name for stack in project.of(request.source)]
    created = {stack.name: stack.id for stack in copy.of(request.name)}
    missing = [name for name in expected if name not in created]
    if missing:
        raise ProjectError(
            f"{', '.join(missing)} would not be in {request.name}: infra.yaml describes it by its folder.",
            advice="Describe it for the new environment too.",
        )
    return tuple(created[name] for name in expected)
