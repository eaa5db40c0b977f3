"""Reports what a change makes of the manifests of Helm charts in the project, rendered by `helm template`.

Nothing of a chart runs: Helm's templates are text. A chart with a link that leads out of the project is not
rendered, `helm` gets neither plugins nor a cluster, and values of Secrets are hidden.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from orchestrator.config import load
from orchestrator.errors import InfraError, UsageError
from orchestrator.process import Command, Supervisor
from orchestrator.report.escape import code, fence
from orchestrator.report.words import plural
from orchestrator.repository.discovery import discover
from orchestrator.repository.helm_releases import HelmRelease, HelmValueFile, find_releases
from orchestrator.repository.modules import product_of
from orchestrator.repository.source import Source
from orchestrator.repository.tree import Tree
from orchestrator.terraform.environment import plain_environment

# Seconds that one rendering may take, and bytes that it may have.
DEADLINE = 60.0
MOST_MANIFESTS = 8 * 1024 * 1024
# Bytes of the report, and lines of one object's difference.
MOST_REPORT = 28_000
MOST_LINES = 60
HIDDEN, HIDDEN_CHANGED = "(hidden)", "(hidden, changed)"
_SECRET_KEYS = ("data", "stringData")
_KEPT_FOLDERS = frozenset({".git", ".terraform", ".infra"})
# Without a name in the code, or with one that only Terraform knows.
_RELEASE_NAME = "release"


class ChartError(InfraError):
    """A chart that cannot be rendered."""


@dataclass(frozen=True)
class ChartSide:
    """The releases of some stacks on one side of a change. `root` is the project's folder there."""

    root: Path
    tree: Tree
    releases: Mapping[str, HelmRelease]


@dataclass(frozen=True)
class RenderedChart:
    """Rendered objects by kind, namespace and name, or why there are none. Without a chart both are empty."""

    objects: Mapping[str, Any]
    problem: str = ""


class ChartRenderer:
    """Renders charts by the `helm` on PATH."""

    def __init__(self, supervisor: Supervisor, environ: Mapping[str, str], helm: str, home: Path) -> None:
        self._supervisor = supervisor
        self._environ = environ
        self._helm = helm
        self._home = home

    def render(self, side: ChartSide, release: HelmRelease) -> RenderedChart:
        """The objects of a release."""
        try:
            _check_links(side.tree, release)
            return RenderedChart(_objects(self._run(side, release)))
        except ChartError as error:
            return RenderedChart({}, error.message)

    def _run(self, side: ChartSide, release: HelmRelease) -> str:
        with TemporaryDirectory(dir=self._home) as temporary:
            files = []
            for index, value in enumerate(release.values):
                if isinstance(value, HelmValueFile):
                    files.append(side.root / value.path)
                else:
                    files.append(Path(temporary, f"{index}.yaml"))
                    files[-1].write_text(value.text)
            command = Command(
                (self._helm, *template_arguments(release, side.root / release.chart, files)),
                side.root,
                self._environment(),
                deadline=DEADLINE,
                title="helm template",
                most_output=MOST_MANIFESTS + 1,
            )
            completed = self._supervisor.run(command)
        if completed.ended == "deadline":
            raise ChartError(f"`helm template` did not end in {DEADLINE:g} s.")
        if not completed.ok:
            lines = completed.error_text.replace(str(side.root), ".").strip().splitlines()
            errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
            raise ChartError((errors or lines[-1:] or [f"exit code {completed.returncode}"])[0])
        if len(completed.stdout) > MOST_MANIFESTS:
            raise ChartError(f"The manifests are longer than {MOST_MANIFESTS:,} bytes.")
        return completed.text

    def _environment(self) -> dict[str, str]:
        """No credentials, and no settings, plugins or caches of the machine's user."""
        folders = {
            name: str(self._home / name)
            for name in ("HOME", "HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME")
        }
        return plain_environment(
            self._environ, passed=(), extra={**folders, "HELM_NO_PLUGINS": "1"}, outside=None
        )


def template_arguments(release: HelmRelease, chart: Path, value_files: Sequence[Path]) -> tuple[str, ...]:
    """The arguments of `helm` that render a release."""
    settings = (
        f"--set{'-string' if value.is_string else ''}={value.name}={value.value}"
        for value in release.settings
    )
    return (
        "template",
        "--include-crds",
        *((f"--namespace={release.namespace}",) if release.namespace else ()),
        *(f"--values={path}" for path in value_files),
        *settings,
        "--",
        release.name or _RELEASE_NAME,
        str(chart),
    )


def report_charts(supervisor: Supervisor, environ: Mapping[str, str]) -> str:
    """The Markdown for a report hook, from the variables that infra gives it; empty without a chart.

    Raises UsageError outside of a report hook.
    """
    try:
        base, head = (Path(environ[f"INFRA_HOOK_{side}_FILES"]) for side in ("BASE", "HEAD"))
        facts = json.loads(Path(environ["INFRA_HOOK_INPUT"]).read_bytes())
        stacks = [str(stack["id"]) for stack in facts["stacks"]]
    except (KeyError, OSError, ValueError, TypeError) as error:
        raise UsageError(
            "This runs as a report hook, and the variables of one are not here.",
            advice="Name `[infra, ci, charts]` as a `report` hook in infra.yaml; `infra ci report` runs it.",
        ) from error
    sides = read_side(base, stacks), read_side(head, stacks)
    if not any(side.releases for side in sides):
        return "The code of these stacks names no Helm chart of the repository.\n"
    helm = shutil.which("helm", path=environ.get("PATH", os.defpath))
    if helm is None:
        return "The charts were not rendered: there is no `helm` on PATH.\n"
    with TemporaryDirectory(prefix="infra-charts-") as home:
        return render_report(*sides, ChartRenderer(supervisor, environ, helm, Path(home)))


def read_side(root: Path, stacks: Iterable[str]) -> ChartSide:
    """The releases of stacks in a folder of files, by stack and address; Git is not needed."""
    tree = _read_folder(root)
    config = load(root)
    source = Source(tree, str(config.roots.modules), product=product_of(config.terraform.binary))
    discovery = discover(tree, config, source)
    releases: dict[str, HelmRelease] = {}
    for id_ in sorted(set(stacks) & set(discovery.stacks)):
        folder = source.real(discovery.stacks[id_].path)
        for release in find_releases(source, folder, discovery.scopes[id_]):
            key = f"{id_} {release.address.rpartition(' ')[2]}"
            calls = sum(other == key or other.startswith(f"{key} (") for other in releases)
            releases[f"{key} ({calls + 1})" if calls else key] = release
    return ChartSide(root, tree, releases)


def render_report(base: ChartSide, head: ChartSide, renderer: ChartRenderer) -> str:
    """What differs between the manifests of both sides, as Markdown of at most `MOST_REPORT` bytes."""
    parts: list[str] = []
    for key in sorted({*base.releases, *head.releases}):
        before, after = base.releases.get(key), head.releases.get(key)
        old = renderer.render(base, before) if before else RenderedChart({})
        new = renderer.render(head, after) if after else RenderedChart({})
        again = renderer.render(head, after) if after and not new.problem else new
        unstable = _unstable(new, again)
        parts += _release_parts(key, after or before, old, new, unstable)
    return _fit(parts)


def _release_parts(
    key: str, release: HelmRelease | None, old: RenderedChart, new: RenderedChart, unstable: frozenset[str]
) -> Iterator[str]:
    stack, _, address = key.partition(" ")
    chart = release.chart if release else ""
    yield f"## {code(address)} of {code(stack)}: chart {code(chart)}"
    for side, rendering in (("trunk", old), ("this change", new)):
        if rendering.problem:
            yield f"It does not render as {side} has it: {code(rendering.problem, 600)}"
    if old.problem or new.problem:
        return
    if release is not None and release.open:
        names = ", ".join(code(name) for name in release.open)
        yield f"Rendered without what only Terraform knows: {names}."
    differences = {
        name: text
        for name in sorted({*old.objects, *new.objects} - unstable)
        if (text := _difference(old.objects.get(name), new.objects.get(name)))
    }
    verbs = {name: _verb(old, new, name) for name in differences}
    if unstable:
        names = ", ".join(code(name) for name in sorted(unstable)[:10])
        yield f"Different at each rendering, so not compared: {names}."
    if not differences:
        yield f"No difference in {plural(len(new.objects), 'object')}."
        return
    counts = [f"{plural(count, 'object')} {verb}" for verb in ("added", "changed", "removed")
              if (count := list(verbs.values()).count(verb))]  # fmt: skip
    yield f"{', '.join(counts)}."
    for name, text in differences.items():
        lines = text.splitlines()
        rest = [f"… {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
        # A line that began with a name of backticks would be read as a fence.
        body = fence("\n".join([*lines[:MOST_LINES], *rest]))
        yield f"{verbs[name].capitalize()}: {code(name)}\n\n{body}"


def _verb(old: RenderedChart, new: RenderedChart, name: str) -> str:
    if name not in old.objects:
        return "added"
    return "changed" if name in new.objects else "removed"


def _fit(parts: Sequence[str]) -> str:
    """The parts until the report is full, and how many are left out."""
    text, used = "", 0
    for part in parts:
        if len(f"{text}{part}".encode()) > MOST_REPORT:
            break
        text, used = f"{text}{part}\n\n", used + 1
    left = len(parts) - used
    return f"{text}{plural(left, 'part')} left out: the report is full.\n" if left else text


def _difference(old: Any, new: Any) -> str:
    """The lines that differ between two objects, with three lines around them; empty for equal ones."""
    if old == new:
        return ""
    before, after = hide_secrets(old, None), hide_secrets(new, old)
    lines = difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=3)
    return "\n".join(line for line in list(lines)[2:])


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000).splitlines()


def hide_secrets(value: Any, other: Any) -> Any:
    """An object with hidden values of Secrets; those that differ from the other side's are marked."""
    if isinstance(value, list):
        others = other if isinstance(other, list) and len(other) == len(value) else [None] * len(value)
        return [hide_secrets(member, others[index]) for index, member in enumerate(value)]
    if not isinstance(value, dict):
        return value
    matching = other if isinstance(other, dict) else {}
    if value.get("kind") != "Secret":
        return {key: hide_secrets(member, matching.get(key)) for key, member in value.items()}
    return {
        key: _hidden(member, matching.get(key)) if key in _SECRET_KEYS else member
        for key, member in value.items()
    }


def _hidden(values: Any, others: Any) -> Any:
    if not isinstance(values, dict):
        return HIDDEN
    known = others if isinstance(others, dict) else {}
    return {
        key: HIDDEN_CHANGED if key in known and known[key] != member else HIDDEN
        for key, member in values.items()
    }


def _unstable(first: RenderedChart, second: RenderedChart) -> frozenset[str]:
    """The objects that two renderings of the same files do not have in common: names or values are random."""
    names = {*first.objects, *second.objects}
    return frozenset(name for name in names if first.objects.get(name) != second.objects.get(name))


def _objects(manifests: str) -> dict[str, Any]:
    """The objects in manifests by kind, namespace and name. Raises ChartError where they are no YAML."""
    objects: dict[str, Any] = {}
    try:
        documents = [each for each in yaml.safe_load_all(manifests) if each is not None]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ChartError(f"The manifests are no YAML: {str(error).splitlines()[0]}.") from error
    for document in documents:
        content = document if isinstance(document, dict) else {}
        metadata = content.get("metadata")
        names = metadata if isinstance(metadata, dict) else {}
        parts = [names.get("namespace"), names.get("name") or names.get("generateName")]
        name = f"{content.get('kind') or 'object'} {'/'.join(str(part) for part in parts if part)}".strip()
        while name in objects:
            name += "'"
        objects[name] = document
    return objects


def _check_links(tree: Tree, release: HelmRelease) -> None:
    """Raises ChartError for a chart with a link that Helm would follow out of the project's files."""
    real = tree.resolve(release.chart)
    for path in tree.below(real) if isinstance(real, str) else ():
        target = tree.resolve(path) if path in tree.links else path
        is_inside = isinstance(target, str) and (target in tree.ids or f"{target}/".startswith(f"{real}/"))
        if not is_inside:
            raise ChartError(f"{path} is a link to {tree.links[path]}, which is no file of the project.")


def _read_folder(root: Path) -> Tree:
    """The files of a folder, without what Git, Terraform and infra keep there."""
    ids: dict[str, str] = {}
    links: dict[str, str] = {}
    for folder, names, files in os.walk(root):
        names[:] = sorted(set(names) - _KEPT_FOLDERS)
        for name in sorted({*names, *files} - _KEPT_FOLDERS):
            path = Path(folder, name)
            key = path.relative_to(root).as_posix()
            if path.is_symlink():
                links[key] = str(path.readlink())
            elif name in files:
                ids[key] = f"{root}\0{key}"
    return Tree(ids, lambda path: (root / path).read_bytes(), links=links)
