"""Runs tflint, trivy and checkov where they are installed, and reads their SARIF."""

from __future__ import annotations

import json
import posixpath
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.errors import InfraError
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.repository.model import Finding, Severity
from orchestrator.terraform.environment import child_environment

# Seconds that one tool may take for one folder.
DEADLINE = 600.0
LEVELS: Mapping[str, Severity] = {"error": "error", "warning": "warning", "note": "info", "none": "info"}


@dataclass(frozen=True)
class Linter:
    """A linter. `argv(folder, out)` writes SARIF to standard output, or to `report` in the folder `out`.

    `levels` is false for one that calls everything an error: its findings are warnings then.
    """

    name: str
    argv: Callable[[str, Path], Sequence[str]]
    report: str | None = None
    levels: bool = True


LINTERS = (
    Linter("tflint", lambda folder, out: ("--recursive", "--format=sarif", "--force", f"--chdir={folder}")),
    Linter(
        "trivy",
        lambda folder, out: (
            *("config", "--format", "sarif", "--quiet", "--exit-code", "0"),
            *("--output", str(out / "trivy.sarif"), folder),
        ),
        "trivy.sarif",
    ),
    Linter(
        "checkov",
        lambda folder, out: (
            *("--directory", folder, "--framework", "terraform", "--quiet", "--compact", "--soft-fail"),
            *("--skip-download", "--output", "sarif", "--output-file-path", str(out)),
        ),
        "results_sarif.sarif",
        levels=False,
    ),
)


def find_linters(environ: Mapping[str, str]) -> list[tuple[Linter, str]]:
    """The tools on PATH, each with where it is."""
    paths = ((tool, shutil.which(tool.name, path=environ.get("PATH"))) for tool in LINTERS)
    return [(tool, path) for tool, path in paths if path]


def run_linter(
    supervisor: Supervisor,
    root: Path,
    tops: Sequence[str],
    environ: Mapping[str, str],
    tool: Linter,
    path: str,
) -> Iterator[Finding]:
    """Runs one linter on each folder of `tops`; a failure of the linter is a finding too."""
    for top in tops:
        with TemporaryDirectory(prefix="infra-lint-") as out:
            command = Command(
                (path, *tool.argv(top, Path(out))),
                root,
                child_environment(environ),
                deadline=DEADLINE,
                title=tool.name,
            )
            try:
                done = supervisor.run(command)
                data = (Path(out) / tool.report).read_bytes() if tool.report else done.stdout
                document = json.loads(data)
            except InfraError as error:
                yield _failure_finding(tool, top, error.message)
            except (OSError, ValueError):
                yield _failure_finding(tool, top, _last_line(done))
            else:
                yield from _read_sarif(tool, document, root, top)


def _failure_finding(tool: Linter, top: str, message: str) -> Finding:
    """A tool that is installed and does not work."""
    advice = f"Run `{tool.name}` by hand there, or take it off PATH."
    return Finding("error", f"{tool.name}-failed", f"{tool.name} did not work: {message}", advice, top)


def _last_line(done: Completed) -> str:
    """The last line that a program printed."""
    lines = (done.error_text or done.text).strip().splitlines()
    return lines[-1] if lines else f"it ended with {done.returncode}"


def _read_sarif(tool: Linter, document: Any, root: Path, top: str) -> Iterator[Finding]:
    """The results of a SARIF document as findings; their rule is `TOOL:RULE`."""
    for run in document.get("runs") or ():
        rules = {rule.get("id"): rule for rule in run.get("tool", {}).get("driver", {}).get("rules") or ()}
        for result in run.get("results") or ():
            rule = rules.get(result.get("ruleId"), {})
            location = ((result.get("locations") or [{}])[0]).get("physicalLocation", {})
            file = resolve_path(str(location.get("artifactLocation", {}).get("uri") or ""), root, top)
            level = LEVELS.get(str(result.get("level", "warning")), "warning")
            message = str(result.get("message", {}).get("text") or result.get("ruleId"))
            yield Finding(
                level if tool.levels else "warning",
                f"{tool.name}:{result.get('ruleId')}",
                message.partition("\n")[0],
                str(rule.get("helpUri") or ""),
                file,
                location.get("region", {}).get("startLine") or 1,
            )


def resolve_path(uri: str, root: Path, top: str) -> str:
    """A result's file from the project's root; tools name it from there, or from the folder they read."""
    if not uri:
        return top
    plain = uri.removeprefix("file://")
    if plain.startswith("/"):
        path = Path(plain)
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else plain
    joined = posixpath.normpath(posixpath.join(top, plain))
    return joined if not (root / plain).exists() and (root / joined).exists() else posixpath.normpath(plain)
