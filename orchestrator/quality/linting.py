"""`infra lint`: all findings in one list, without those that infra.yaml accepts."""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.atomic_files import write_below
from orchestrator.config import LintIgnore
from orchestrator.engine.planner import LOCAL_BACKEND
from orchestrator.engine.ports import Progress
from orchestrator.engine.scheduler import run_in_order
from orchestrator.engine.session import Session
from orchestrator.engine.terraform_runner import TerraformRunner
from orchestrator.errors import InfraError, TerraformError
from orchestrator.forge.owners import find_unowned
from orchestrator.quality import linters, readme, rules
from orchestrator.quality.code_folders import CodeFolder, find_code_folders, find_top_folders
from orchestrator.quality.modules import content_key
from orchestrator.quality.testing import Simulation, module_workdir
from orchestrator.report.findings import LintReport
from orchestrator.repository.file_reads import glob_pattern
from orchestrator.repository.model import Finding, Project
from orchestrator.repository.sensitive_variables import mask_findings
from orchestrator.repository.validation import SEVERITIES, validate_project
from orchestrator.terraform.client import Diagnostic
from orchestrator.terraform.environment import child_environment

HUNK = re.compile(r"@@ -(\d+)")
CONFIG = "infra.yaml"


@dataclass(frozen=True)
class ValidateResult:
    """What `terraform validate` said of one folder."""

    id: str
    findings: tuple[Finding, ...]
    seconds: float
    reason: str = ""

    @property
    def result(self) -> str:
        """`valid` or `invalid`."""
        return "invalid" if any(finding.severity == "error" for finding in self.findings) else "valid"


@dataclass(frozen=True)
class LintRun:
    """One `infra lint`. Without a simulation `terraform validate` needs the real providers."""

    session: Session
    progress: Progress
    simulation: Simulation | None = None

    def run(self) -> LintReport:
        """Every finding, each once, the serious ones first."""
        context = self.session.context
        project = context.project
        tops, folders = find_top_folders(project), find_code_folders(project)
        findings = [
            *self._formatting(tops),
            *_own_rules(project, folders),
            *rules.check_values(project, tops, context.masker),
            *_check_readmes(project, folders),
            *find_unowned(project),
            *self._validated(folders),
            *self._tools(tops),
        ]
        all_findings = [*validate_project(project), *mask_findings(project, findings)]
        remaining, accepted = filter_accepted(project, [locate(project, finding) for finding in all_findings])
        names = tuple(tool.name for tool, _ in linters.find_linters(context.environ))
        return LintReport(sort_findings(remaining), accepted, names, simulated=self.simulation is not None)

    def _formatting(self, tops: Iterable[str]) -> Iterator[Finding]:
        """Files that `terraform fmt` would change, each with the first line that it would."""
        session = self.session
        root = session.context.project.root
        paths = [root / top for top in tops]
        if not paths:
            return
        try:
            _, diff = session.terraform.client.fmt_check(
                root, child_environment(session.context.environ), paths, diff=True
            )
        except TerraformError as error:
            message = f"`terraform fmt` could not check the format of all files: {error.message}"
            yield Finding(
                "error", "fmt", message, "Correct what does not parse first.", error.file, error.line
            )
            return
        for file, line in changed_lines(diff):
            name = Path(file)
            posix = name.relative_to(root).as_posix() if name.is_relative_to(root) else file
            message = "This is not formatted as `terraform fmt` does."
            yield Finding("error", "fmt", message, "Run `infra fmt`, or `infra lint --fix`.", posix, line)

    def _validated(self, folders: Iterable[CodeFolder]) -> list[Finding]:
        """What `terraform validate` says of each root, module and example, several at once."""
        todo = [folder.path for folder in folders if folder.kind != "helper"]
        session = self.session
        self.progress.begin(todo)
        try:
            done = run_in_order(todo, {}, self._timed, workers=session.context.workers)
        finally:
            self.progress.end()
        return [finding for validate_result in done.values() for finding in validate_result.findings]

    def _timed(self, path: str) -> ValidateResult:
        began = time.monotonic()
        self.progress.doing(path, "validating")
        validate_result = ValidateResult(path, tuple(self._validate(path)), time.monotonic() - began)
        self.progress.done(validate_result)
        return validate_result

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
                validate = [
                    diagnostic
                    for diagnostic in client.validate(work)
                    if diagnostic.severity == "error" and diagnostic.file
                ]
                if not validate:
                    raise
            else:
                validate = list(client.validate(work))
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
        return [self._diagnosed(path, diagnostic) for diagnostic in validate]

    def _has_backend(self, path: str) -> bool:
        return self.session.context.project.coverage.source.directory(path).backend is not None

    def _diagnosed(self, path: str, diagnostic: Diagnostic) -> Finding:
        mask = self.session.context.mask
        file = posixpath.normpath(posixpath.join(path, diagnostic.file)) if diagnostic.file else path
        severity = "error" if diagnostic.severity == "error" else "warning"
        return Finding(
            severity,  # type: ignore[arg-type]
            "terraform",
            mask(diagnostic.summary),
            mask(diagnostic.detail),
            file,
            diagnostic.line or None,
        )

    def _tools(self, tops: tuple[str, ...]) -> Iterator[Finding]:
        session = self.session
        context = session.context
        for tool, path in linters.find_linters(context.environ):
            yield from linters.run_linter(
                context.supervisor,
                context.project.root,
                tops,
                context.environ,
                tool,
                path,
            )


def apply_fixes(terraform: TerraformRunner) -> tuple[str, ...]:
    """Format every file and rewrite the parts of READMEs; the files that changed."""
    project = terraform.project
    env = child_environment(terraform.environ)
    paths = [project.root / top for top in find_top_folders(project)]
    formatted = terraform.client.fmt(project.root, env, paths) if paths else ()
    changed = {
        Path(file).relative_to(project.root).as_posix() if Path(file).is_absolute() else file
        for file in formatted
    }
    for path, before, after in _rendered(project, find_code_folders(project)):
        if before != after:
            write_below(project.root, path, after.encode())
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


def _own_rules(project: Project, folders: Iterable[CodeFolder]) -> Iterator[Finding]:
    for folder in folders:
        files = project.coverage.source.blocks(folder.path)
        for file, block in files:
            yield from rules.check_file(folder, file, block)
        yield from rules.check_required_providers(folder, files)


def _check_readmes(project: Project, folders: Iterable[CodeFolder]) -> Iterator[Finding]:
    """Parts of READMEs that the code no longer says, and modules that have none."""
    folders = list(folders)
    for path, before, after in _rendered(project, folders):
        for line in readme.stale_lines(before, after):
            message = "This part is not what the code says."
            yield Finding("error", "stale-readme", message, "Run `infra lint --fix`.", path, line)
    for folder in folders:
        path = posixpath.join(folder.path, readme.README)
        if folder.kind == "module" and project.tree.find(path) is None:
            message = "The module has no README.md."
            advice = "Say what it is for; between `<!-- inputs -->` and `<!-- /inputs -->` the table is made."
            yield Finding("warning", "no-readme", message, advice, folder.path)


def _rendered(project: Project, folders: Iterable[CodeFolder]) -> Iterator[tuple[str, str, str]]:
    """Each README beside code: its path, its text, and how it should be."""
    for folder in folders:
        path = posixpath.join(folder.path, readme.README)
        real = project.tree.find(path)
        if real is not None:
            text = project.tree.read(real).decode("utf-8", "surrogateescape")
            yield path, text, readme.render_readme(project, folder.path, text)


def filter_accepted(
    project: Project, findings: Iterable[Finding]
) -> tuple[list[Finding], tuple[tuple[Finding, str], ...]]:
    """What is left, and what infra.yaml accepts. An entry that accepts nothing is a finding itself."""
    ignores = project.config.lint.ignore
    used: set[LintIgnore] = set()
    remaining: list[Finding] = []
    accepted: dict[Finding, str] = {}
    for finding in dict.fromkeys(findings):
        match = next((ignore for ignore in ignores if _accepts(ignore, finding)), None)
        if match is None:
            remaining.append(finding)
        else:
            used.add(match)
            accepted[finding] = match.reason
    for ignore in ignores:
        if ignore not in used:
            message = f"`lint.ignore` accepts {ignore.rule} in {ignore.path}, and there is none."
            remaining.append(Finding("warning", "unused-ignore", message, "Remove the entry.", CONFIG))
    return remaining, tuple(accepted.items())


def _accepts(ignore: LintIgnore, finding: Finding) -> bool:
    rule = glob_pattern(ignore.rule.replace(":", "/")).fullmatch(finding.code.replace(":", "/"))
    return bool(rule and glob_pattern(ignore.path).fullmatch(finding.file or ""))


def locate(project: Project, finding: Finding) -> Finding:
    """The finding at a line of a file: of a folder it is the first line of its code."""
    if finding.line or not finding.file:
        return finding
    files = project.coverage.source.code(finding.file)
    file = posixpath.join(finding.file, files[0][0]) if files else finding.file
    return replace(finding, file=file, line=1)


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The serious ones first, then by place; one that several roots share appears once."""
    once = {(f.severity, f.code, f.message, f.file, f.line): f for f in findings}
    return tuple(
        sorted(once.values(), key=lambda f: (SEVERITIES.index(f.severity), f.file or "", f.line or 0, f.code))
    )


def _detail(error: InfraError) -> str:
    """What Terraform said, whole; else our own advice."""
    diagnostics = error.diagnostics if isinstance(error, TerraformError) else ()
    texts = [
        f"{diagnostic.summary}\n{diagnostic.detail}".strip()
        for diagnostic in diagnostics
        if isinstance(diagnostic, Diagnostic)
    ]
    return "\n\n".join(texts) or error.advice
