"""`infra lint`: every complaint about the code in one list, without those that infra.yaml accepts."""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config import LintIgnore
from orchestrator.engine.planner import LOCAL_BACKEND
from orchestrator.engine.ports import Progress
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import InfraError, TerraformError
from orchestrator.project.given import mask_findings
from orchestrator.project.model import Finding, Project
from orchestrator.project.reads import glob_pattern
from orchestrator.project.validate import SEVERITIES
from orchestrator.project.validate import check as check_project
from orchestrator.quality import readme, rules, tools, values
from orchestrator.quality.modules import content_key
from orchestrator.quality.places import Place, places_of, tops_of
from orchestrator.quality.testing import Simulation, module_workdir
from orchestrator.report.findings import LintReport
from orchestrator.terraform.client import Diagnostic
from orchestrator.terraform.environment import child_environment

HUNK = re.compile(r"@@ -(\d+)")
CONFIG = "infra.yaml"


@dataclass(frozen=True)
class Validated:
    """What `terraform validate` said of one folder."""

    id: str
    findings: tuple[Finding, ...]
    seconds: float
    reason: str = ""

    @property
    def result(self) -> str:
        """`valid` or `invalid`."""
        return "invalid" if any(one.severity == "error" for one in self.findings) else "valid"


@dataclass(frozen=True)
class Linting:
    """One `infra lint`. Without a simulation `terraform validate` needs the real providers."""

    session: Session
    progress: Progress
    simulation: Simulation | None = None

    def run(self) -> LintReport:
        """Every finding, each once, the serious ones first."""
        context = self.session.context
        project = context.project
        tops, places = tops_of(project), places_of(project)
        ours = [
            *self._formatting(tops),
            *_own_rules(project, places),
            *values.check_values(project, tops, context.masker),
            *readmes(project, places),
            *self._validated(places),
            *self._tools(tops),
        ]
        found = [*check_project(project), *mask_findings(project, ours)]
        kept, accepted = accept(project, [located(project, one) for one in found])
        names = tuple(tool.name for tool, _ in tools.present(context.environ))
        return LintReport(in_order(kept), accepted, names, simulated=self.simulation is not None)

    def _formatting(self, tops: Iterable[str]) -> Iterator[Finding]:
        """Files that `terraform fmt` would change, each with the first line that it would."""
        session = self.session
        root = session.context.project.root
        paths = [root / top for top in tops]
        if not paths:
            return
        _, diff = session.terraform.client.fmt_check(
            root, child_environment(session.context.environ), paths, diff=True
        )
        for file, line in changed_lines(diff):
            name = Path(file)
            shown = name.relative_to(root).as_posix() if name.is_relative_to(root) else file
            message = "This is not formatted as `terraform fmt` does."
            yield Finding("error", "fmt", message, "Run `infra fmt`, or `infra lint --fix`.", shown, line)

    def _validated(self, places: Iterable[Place]) -> list[Finding]:
        """What `terraform validate` says of each root, module and example, several at once."""
        todo = [place.path for place in places if place.kind != "helper"]
        session = self.session
        self.progress.begin(todo)
        try:
            done = run_in_order(todo, {}, self._timed, workers=session.context.workers)
        finally:
            self.progress.end()
        return [finding for found in done.values() for finding in found.findings]

    def _timed(self, path: str) -> Validated:
        began = time.monotonic()
        self.progress.doing(path, "validating")
        found = Validated(path, tuple(self._validate(path)), time.monotonic() - began)
        self.progress.done(found)
        return found

    def _validate(self, path: str) -> list[Finding]:
        session = self.session
        context = session.context
        extra = self.simulation.environment(path) if self.simulation else {}
        env = child_environment(session.terraform.environ_in(context.project.root / path), extra=extra)
        overrides = {"infra_backend_override.tf": LOCAL_BACKEND}
        client = session.terraform.client
        try:
            work = module_workdir(context, path, env, overrides if self._has_backend(path) else {})
            try:
                client.init(work, content_key(context.project, path), {})
            except TerraformError:
                # Newer Terraforms look at arguments in `init` already, where they name no line.
                found = [one for one in client.validate(work) if one.severity == "error" and one.file]
                if not found:
                    raise
            else:
                found = list(client.validate(work))
        except InfraError as error:
            advice = f"{_detail(error)}\nWhere the registry is out of reach: `infra lint --simulated`."
            message = f"{path} could not be validated: {error.message}"
            return [
                Finding(
                    "error",
                    "not-validated",
                    context.mask(message),
                    context.mask(advice.strip()),
                    path,
                )
            ]
        return [self._diagnosed(path, one) for one in found]

    def _has_backend(self, path: str) -> bool:
        return self.session.context.project.coverage.source.directory(path).backend is not None

    def _diagnosed(self, path: str, one: Diagnostic) -> Finding:
        mask = self.session.context.mask
        file = posixpath.normpath(posixpath.join(path, one.file)) if one.file else path
        severity = "error" if one.severity == "error" else "warning"
        return Finding(
            severity,  # type: ignore[arg-type]
            "terraform",
            mask(one.summary),
            mask(one.detail),
            file,
            one.line or None,
        )

    def _tools(self, tops: tuple[str, ...]) -> Iterator[Finding]:
        session = self.session
        context = session.context
        for tool, path in tools.present(context.environ):
            yield from tools.check(
                context.supervisor,
                context.project.root,
                tops,
                context.environ,
                tool,
                path,
            )


def fix(terraform: TerraformRunner) -> tuple[str, ...]:
    """Format every file and write READMEs' parts anew; the files that changed."""
    project = terraform.project
    env = child_environment(terraform.environ)
    paths = [project.root / top for top in tops_of(project)]
    formatted = terraform.client.fmt(project.root, env, paths) if paths else ()
    changed = {
        Path(one).relative_to(project.root).as_posix() if Path(one).is_absolute() else one
        for one in formatted
    }
    for path, before, after in _rendered(project, places_of(project)):
        if before != after:
            (project.root / path).write_text(after, encoding="utf-8")
            changed.add(path)
    return tuple(sorted(changed))


def changed_lines(diff: str) -> Iterator[tuple[str, int]]:
    """Each file of a unified diff with the first line that it changes."""
    file, line = "", 0
    for text in diff.splitlines():
        if text.startswith("--- "):
            file, line = text.removeprefix("--- ").removeprefix("old/"), 0
        elif match := HUNK.match(text):
            line = max(int(match[1]), 1) if file else 0
        elif line and text[:1] in "-+" and text:
            yield file, line
            file, line = "", 0
        elif line:
            line += 1


def _own_rules(project: Project, places: Iterable[Place]) -> Iterator[Finding]:
    for place in places:
        files = project.coverage.source.blocks(place.path)
        for file, block in files:
            yield from rules.check_file(place, file, block)
        yield from rules.required_everywhere(place, files)


def readmes(project: Project, places: Iterable[Place]) -> Iterator[Finding]:
    """Parts of READMEs that the code no longer says, and modules that have none."""
    places = list(places)
    for path, before, after in _rendered(project, places):
        for line in readme.stale_lines(before, after):
            message = "This part is not what the code says."
            yield Finding("error", "stale-readme", message, "Run `infra lint --fix`.", path, line)
    for place in places:
        path = posixpath.join(place.path, readme.README)
        if place.kind == "module" and project.tree.find(path) is None:
            message = "The module has no README.md."
            advice = "Say what it is for; between `<!-- inputs -->` and `<!-- /inputs -->` the table is made."
            yield Finding("warning", "no-readme", message, advice, place.path)


def _rendered(project: Project, places: Iterable[Place]) -> Iterator[tuple[str, str, str]]:
    """Each README beside code: its path, its text, and how it should be."""
    for place in places:
        path = posixpath.join(place.path, readme.README)
        real = project.tree.find(path)
        if real is not None:
            text = project.tree.read(real).decode("utf-8", "surrogateescape")
            yield path, text, readme.rendered(project, place.path, text)


def accept(
    project: Project, found: Iterable[Finding]
) -> tuple[list[Finding], tuple[tuple[Finding, str], ...]]:
    """What is left, and what infra.yaml accepts. An entry that accepts nothing is a finding itself."""
    ignores = project.config.lint.ignore
    used: set[LintIgnore] = set()
    kept: list[Finding] = []
    accepted: dict[Finding, str] = {}
    for finding in dict.fromkeys(found):
        match = next((one for one in ignores if _accepts(one, finding)), None)
        if match is None:
            kept.append(finding)
        else:
            used.add(match)
            accepted[finding] = match.reason
    for one in ignores:
        if one not in used:
            message = f"`lint.ignore` accepts {one.rule} in {one.path}, and there is none."
            kept.append(Finding("warning", "unused-ignore", message, "Remove the entry.", CONFIG))
    return kept, tuple(accepted.items())


def _accepts(ignore: LintIgnore, finding: Finding) -> bool:
    rule = glob_pattern(ignore.rule.replace(":", "/")).fullmatch(finding.code.replace(":", "/"))
    return bool(rule and glob_pattern(ignore.path).fullmatch(finding.file or ""))


def located(project: Project, finding: Finding) -> Finding:
    """The finding at a line of a file: of a folder it is the first line of its code."""
    if finding.line or not finding.file:
        return finding
    files = project.coverage.source.code(finding.file)
    file = posixpath.join(finding.file, files[0][0]) if files else finding.file
    return replace(finding, file=file, line=1)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The serious ones first, then by place; one that several roots share appears once."""
    once = {(f.severity, f.code, f.message, f.file, f.line): f for f in findings}
    return tuple(
        sorted(once.values(), key=lambda f: (SEVERITIES.index(f.severity), f.file or "", f.line or 0, f.code))
    )


def _detail(error: InfraError) -> str:
    """What Terraform said, whole; else our own advice."""
    found = error.diagnostics if isinstance(error, TerraformError) else ()
    told = [f"{one.summary}\n{one.detail}".strip() for one in found if isinstance(one, Diagnostic)]
    return "\n\n".join(told) or error.advice
