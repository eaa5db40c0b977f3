"""Samples of templates: stacks made with sample answers in a copy of the project, and what checks find."""

from __future__ import annotations

import json
import posixpath
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from orchestrator.atomic_files import write_below
from orchestrator.catalog.creation import CreationRequest, render_stacks, require_environments
from orchestrator.catalog.entries import CatalogEntry, template_folder
from orchestrator.catalog.rendering import SAMPLE_FILE
from orchestrator.errors import ProjectError, UsageError
from orchestrator.forge.owners import NO_OWNER
from orchestrator.repository.model import Project

# The sample of a template without a file of answers.
SAMPLE = "sample"
CheckName = Literal["render", "lint", "guard", "test", "plan"]
# Rules of where and how a stack is committed, which a sample is not.
UNFIT_RULES = frozenset({"lock-file", NO_OWNER})


@dataclass(frozen=True)
class Sample:
    """One stack to make of a template: the sample file's name without its suffix, and the answers.

    Without a sample file, a template has one sample, `sample`, without answers.
    """

    entry: CatalogEntry
    name: str
    data: Mapping[str, str]

    @property
    def stack_name(self) -> str:
        """The name of the stack below its environment."""
        return f"{self.name}-{self.entry.name}"


@dataclass
class CheckedSample:
    """What the checks found of one sample: problems, each with its check, and how many resources it creates.

    `path` is the folder of the stack, `modules` are the paths of the modules that it calls, directly or not.
    `created` is None where no plan was made.
    """

    sample: Sample
    stack: str = ""
    path: str = ""
    modules: tuple[str, ...] = ()
    problems: list[tuple[CheckName, str]] = field(default_factory=list)
    created: int | None = None

    def add(self, check: CheckName, message: str) -> None:
        """Adds a problem."""
        self.problems.append((check, message))

    def holds(self, path: str | None) -> bool:
        """Whether a file belongs to the sample or to one of its modules."""
        return path is not None and any(
            path == folder or path.startswith(f"{folder}/") for folder in (self.path, *self.modules)
        )

    @property
    def is_valid(self) -> bool:
        """Whether nothing was found and a plan was made."""
        return not self.problems and self.created is not None

    def document(self) -> dict[str, Any]:
        """The sample in `infra catalog check --json`."""
        return {
            "template": self.sample.entry.name,
            "sample": self.sample.name,
            "valid": self.is_valid,
            "created": self.created,
            "problems": [{"check": check, "message": message} for check, message in self.problems],
        }


def select_environment(project: Project) -> str:
    """The environment that samples are made in: the first one."""
    return require_environments(project)[0]


def list_samples(project: Project, entry: CatalogEntry) -> list[Sample]:
    """The samples of a template; ProjectError for a file that holds no answers."""
    with template_folder(project, entry) as folder:
        matches = [(SAMPLE_FILE.fullmatch(path.name), path) for path in sorted(folder.iterdir())]
        samples = [Sample(entry, match[1], read_answers(path)) for match, path in matches if match]
    return samples or [Sample(entry, SAMPLE, {})]


def read_answers(path: Path) -> dict[str, str]:
    """The answers in a YAML or JSON file, as `--data` takes them.

    Raises UsageError where it cannot be read, ProjectError where it holds none.
    """
    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", advice="Name a file.") from error
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise ProjectError(f"{path.name} is not YAML: {why}") from error
    if not isinstance(document, dict):
        raise ProjectError(f"{path.name} has no answers.", advice="Write QUESTION: ANSWER.")
    return {
        str(key): value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in document.items()
    }


def render_sample(project: Project, sample: Sample, environment: str) -> dict[str, bytes]:
    """The files of a sample's stack; raises what rendering raises."""
    request = CreationRequest(sample.entry, sample.stack_name, (environment,), sample.data)
    return render_stacks(project, request)


def copy_without_stacks(project: Project, folder: Path) -> None:
    """Writes the project's files, committed or not, without its stacks: settings, modules and rules."""
    modules = str(project.config.roots.modules)
    stacks = tuple(f"{stack.path}/" for stack in project.stacks.values() if stack.path not in ("", "."))
    for path in project.tree.below(""):
        is_kept = path.startswith(f"{modules}/") or not path.startswith(stacks)
        if is_kept and path not in project.tree.links and project.tree.submodule_of(path) is None:
            write_below(folder, path, project.tree.read(path))


def locate_samples(copy: Project, checked: Collection[CheckedSample], environment: str) -> None:
    """Adds where each sample is in a copy of the project, and the modules that it calls."""
    for result in checked:
        stack = copy.stacks[f"{environment}/{result.sample.stack_name}"]
        modules: set[str] = set()
        new = set(stack.modules)
        while new:
            modules |= new
            new = {
                path for name in new if name in copy.modules for path in copy.modules[name].calls
            } - modules
        result.stack, result.path, result.modules = stack.id, stack.path, tuple(sorted(modules))


def remove_other_modules(copy: Project, checked: Collection[CheckedSample]) -> None:
    """Removes the modules below the modules' root that no sample calls, so that they cost no time."""
    used = {path for result in checked for path in result.modules}
    for path in copy.modules:
        contains_used = any(name == path or name.startswith(f"{path}/") for name in used)
        if posixpath.dirname(path) == str(copy.config.roots.modules) and not contains_used:
            shutil.rmtree(copy.root / path, ignore_errors=True)


def assign_problems(
    checked: Collection[CheckedSample], check: CheckName, document: Mapping[str, Any]
) -> None:
    """Adds what a command's `--json` document reports to the samples that it is about.

    A command that failed for a reason of no sample failed for all of them; lint looks at other folders too.
    """
    accepted = {
        (finding["file"], finding["message"])
        for finding in document.get("findings", ())
        if finding["rule"] in UNFIT_RULES
    }
    for error in document["errors"]:
        if (error["file"], error["message"]) in accepted:
            continue
        about = [
            result for result in checked if error["stack"] == result.stack or result.holds(error["file"])
        ]
        is_foreign = check == "lint" and (error["stack"] or error["file"])
        for result in about or ([] if is_foreign else checked):
            result.add(check, _format_error(error, result.path))


def _format_error(error: Mapping[str, Any], folder: str) -> str:
    file = error["file"] and error["file"].removeprefix(f"{folder}/")
    location = ":".join(str(part) for part in (file, error["line"]) if part)
    return f"{location}: {error['message']}" if location else str(error["message"])


def assign_plans(checked: Collection[CheckedSample], document: Mapping[str, Any]) -> None:
    """Adds how many resources each sample's plan creates."""
    counts = {stack["id"]: stack["counts"] for stack in document["stacks"] if stack.get("counts")}
    for result in checked:
        if result.stack in counts:
            result.created = counts[result.stack]["create"]
