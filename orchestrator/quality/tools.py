"""tflint, trivy and checkov, where they are installed: all three write SARIF, so one reader does."""

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
from orchestrator.project.model import Finding, Severity
from orchestrator.terraform.environment import child_environment

# Seconds that one tool may take for one folder.
DEADLINE = 600.0
LEVELS: Mapping[str, Severity] = {"error": "error", "warning": "warning", "note": "info", "none": "info"}


@dataclass(frozen=True)
class Tool:
    """A linter. `argv(folder, out)` writes SARIF to standard output, or to `report` in the folder `out`.

    `levels` is false for one that calls everything an error: its findings are warnings then.
    """

    name: str
    argv: Callable[[str, Path], Sequence[str]]
    report: str | None = None
    levels: bool = True


TOOLS = (
    Tool("tflint", lambda folder, out: ("--recursive", "--format=sarif", "--force", f"--chdir={folder}")),
    Tool(
        "trivy",
        lambda folder, out: (
            *("config", "--format", "sarif", "--quiet", "--exit-code", "0"),
            *("--output", str(out / "trivy.sarif"), folder),
        ),
        "trivy.sarif",
    ),
    Tool(
        "checkov",
        lambda folder, out: (
            *("--directory", folder, "--framework", "terraform", "--quiet", "--compact", "--soft-fail"),
            *("--skip-download", "--output", "sarif", "--output-file-path", str(out)),
        ),
        "results_sarif.sarif",
        levels=False,
    ),
)


def present(environ: Mapping[str, str]) -> list[tuple[Tool, str]]:
    """The tools on PATH, each with where it is."""
    found = ((tool, shutil.which(tool.name, path=environ.get("PATH"))) for tool in TOOLS)
    return [(tool, path) for tool, path in found if path]


def check(
    supervisor: Supervisor, root: Path, tops: Sequence[str], environ: Mapping[str, str], tool: Tool, path: str
) -> Iterator[Finding]:
    """What one tool finds below `tops`; that it does not work is a finding too."""
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
                yield broken(tool, top, error.message)
            except (OSError, ValueError):
                yield broken(tool, top, last_words(done))
            else:
                yield from read_sarif(tool, document, root, top)


def broken(tool: Tool, top: str, said: str) -> Finding:
    """A tool that is installed and does not work."""
    advice = f"Run `{tool.name}` by hand there, or take it off PATH."
    return Finding("error", f"{tool.name}-failed", f"{tool.name} did not work: {said}", advice, top)


def last_words(done: Completed) -> str:
    """The last thing that a program said."""
    lines = (done.error_text or done.text).strip().splitlines()
    return lines[-1] if lines else f"it ended with {done.returncode}"


def read_sarif(tool: Tool, document: Any, root: Path, top: str) -> Iterator[Finding]:
    """The results of a SARIF document as findings; their rule is `TOOL:RULE`."""
    for run in document.get("runs") or ():
        rules = {rule.get("id"): rule for rule in run.get("tool", {}).get("driver", {}).get("rules") or ()}
        for result in run.get("results") or ():
            rule = rules.get(result.get("ruleId"), {})
            place = ((result.get("locations") or [{}])[0]).get("physicalLocation", {})
            file = path_of(str(place.get("artifactLocation", {}).get("uri") or ""), root, top)
            level = LEVELS.get(str(result.get("level", "warning")), "warning")
            message = str(result.get("message", {}).get("text") or result.get("ruleId"))
            yield Finding(
                level if tool.levels else "warning",
                f"{tool.name}:{result.get('ruleId')}",
                message.partition("\n")[0],
                str(rule.get("helpUri") or ""),
                file,
                place.get("region", {}).get("startLine") or 1,
            )


def path_of(uri: str, root: Path, top: str) -> str:
    """A result's file from the project's root; tools name it from there, or from the folder they read."""
    if not uri:
        return top
    plain = uri.removeprefix("file://")
    if plain.startswith("/"):
        path = Path(plain)
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else plain
    joined = posixpath.normpath(posixpath.join(top, plain))
    return joined if not (root / plain).exists() and (root / joined).exists() else posixpath.normpath(plain)
