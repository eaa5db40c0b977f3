"""Workflows run for real by act, here and without Docker: only actions from elsewhere are replaced."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.forge.github import actions, workflows
from orchestrator.forge.install_source import GitSource
from orchestrator.forge.workflow_target import WorkflowTarget

# What actions that are fetched from GitHub do there, done here by a few lines of shell.
STANDINS = {
    actions.CHECKOUT.reference: (
        {"ref": "", "fetch-depth": "1", "persist-credentials": "true"},
        {},
        # Without a `ref` act itself has laid a copy of the clone there, which is as good as a checkout.
        "git rev-parse -q --git-dir > /dev/null 2>&1 || git init -q .; "
        'git fetch -q "$CLONE_FROM" "+refs/heads/*:refs/remotes/origin/*" "+refs/pull/*:refs/pull/*"; '
        'git fetch -q "$CLONE_FROM" "${REF:-$GITHUB_SHA}" && git checkout -q --detach FETCH_HEAD',
        {"REF": "${{ inputs.ref }}"},
    ),
    actions.AUTH.reference: (
        {
            "workload_identity_provider": "",
            "service_account": "",
            "token_format": "",
            "create_credentials_file": "true",
        },
        {"access_token": "${{ steps.auth.outputs.access_token }}"},
        'echo "access_token=token-of-$ACCOUNT" >> "$GITHUB_OUTPUT"; '
        'echo "STANDIN_ACCOUNT=$ACCOUNT" >> "$GITHUB_ENV"; '
        # On the sandbox an account is a port.
        'name="PORT_${ACCOUNT%%@*}"; name="${name//-/_}"; '
        'if [ -n "${!name}" ]; then echo "STORAGE_EMULATOR_HOST=${!name}" >> "$GITHUB_ENV"; fi',
        {"ACCOUNT": "${{ inputs.service_account }}"},
    ),
    **{
        action.reference: (
            {f"{program}_version": "", f"{program}_wrapper": "true"},
            {},
            # The job's own program on PATH stands in for the one that is set up.
            f"command -v {program} > /dev/null",
            {},
        )
        for action, program in ((actions.SETUP_TERRAFORM, "terraform"), (actions.SETUP_OPENTOFU, "tofu"))
    },
    # Without its key: what is set up may not write that where Terraform could read it.
    actions.SETUP_INFRACOST.reference: ({"version": ""}, {}, "true", {}),
    actions.DEPLOY_PAGES.reference: ({}, {}, "true", {}),
    actions.UPLOAD_SARIF.reference: (
        {"sarif_file": "", "category": ""},
        {},
        'cp "$WHAT" "$ARTIFACTS/uploaded-$CATEGORY"',
        {"WHAT": "${{ inputs.sarif_file }}", "CATEGORY": "${{ inputs.category }}"},
    ),
    actions.UPLOAD.reference: (
        {"name": "artifact", "path": ".", "retention-days": "90"},
        {},
        'mkdir -p "$ARTIFACTS/$NAME" && if [ -d "$WHAT" ]; then cp -r "$WHAT/." "$ARTIFACTS/$NAME/"; fi',
        {"NAME": "${{ inputs.name }}", "WHAT": "${{ inputs.path }}"},
    ),
    actions.DOWNLOAD.reference: (
        {"name": "", "pattern": "*", "path": "."},
        {},
        # As the action does: the files of one that is named come without its folder, and it has to be there.
        'if [ -n "$NAME" ]; then mkdir -p "$WHERE" && exec cp -r "$ARTIFACTS/$NAME/." "$WHERE/"; fi; '
        # A pattern that nothing matches is no error, and makes no folder.
        'for part in "$ARTIFACTS"/$PATTERN; do '
        'if [ -e "$part" ]; then mkdir -p "$WHERE" && cp -r "$part" "$WHERE/"; fi; done',
        {"NAME": "${{ inputs.name }}", "PATTERN": "${{ inputs.pattern }}", "WHERE": "${{ inputs.path }}"},
    ),
}
# What infra is installed from in the workflows of the tests, and in those of this repository.
SOURCE = GitSource("https://github.com/example/infra", "0123456789abcdef0123456789abcdef01234567")
# The step that installs infra, after its name, up to the next one.
_INSTALL = re.compile(r"(?<=name: Install infra\n)(?:        .*\n)+?(?=      - )")


def read_yaml(text: str) -> Any:
    """A document, read by libyaml where that is installed: workflows are long and read often."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe


def tool(name: str) -> str:
    """A program that `make test` installs where there is Go; the test is skipped where it is not."""
    which = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if which is None:
        pytest.skip(f"{name} is not installed: `make test` installs it where there is a Go toolchain")
    return which


@dataclass
class Workflows:
    """A clone of a repository whose workflows act runs.

    `programs` is the folder whose `infra` the jobs use. `repository` is the clone; its HEAD is what jobs
    check out, other refs come from `origin` where that is another repository. What they upload lies in
    `artifacts`. `tokens` are those of the jobs.
    """

    repository: Path
    folder: Path
    programs: Path
    name: str = "example/infrastructure"
    env: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""

    @property
    def artifacts(self) -> Path:
        """What jobs uploaded, a folder for each artifact."""
        return self.folder / "artifacts"

    def write(
        self,
        environments: Sequence[str],
        trunk: str = "main",
        *,
        shards: int = 1,
        drift_shards: int = 1,
        rehearse: bool = False,
        sarif: bool = False,
        reports: bool = False,
    ) -> None:
        """The shipped workflows, made to run here, into the clone; the rest is as in `WorkflowTarget`."""
        target = WorkflowTarget(
            self.name,
            trunk,
            environments,
            shards=shards,
            drift_shards=drift_shards,
            rehearse=rehearse,
            sarif=sarif,
            reports=reports,
        )
        for path, text in files(target, self.programs).items():
            (self.repository / path).parent.mkdir(parents=True, exist_ok=True)
            (self.repository / path).write_text(text)

    def run(
        self, kind: str, workflow: str, event: Mapping[str, Any], *, inputs: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one workflow for an event; act's own output is in the result."""
        command = self.command(kind, workflow, event, inputs or {})
        return subprocess.run(
            command,
            cwd=self.repository,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    @property
    def environ(self) -> dict[str, str]:
        """act's own environment: a home of its own, and no repository but this one."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
            "HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "home/cache"),
            "XDG_CONFIG_HOME": str(self.folder / "home/config"),
        }

    def command(
        self, kind: str, workflow: str, event: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> list[str]:
        """act's argv, with everything that it reads written down."""
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        self.artifacts.mkdir(exist_ok=True)
        path = self.folder / "event.json"
        path.write_text(json.dumps({"inputs": dict(inputs), **event} if inputs else dict(event)))
        local = [_standin(self.folder / "actions", name) for name in STANDINS]
        local.append(f"{self.name}@main={self.repository}")
        variables = {
            "CLONE_FROM": self.origin or str(self.repository),
            "ARTIFACTS": str(self.artifacts),
            "RUNNER_TEMP": str(self.folder),
            **self.env,
        }
        return [
            *(tool("act"), kind, "-W", f".github/workflows/{workflow}", "-e", str(path)),
            *(
                "-P",
                "ubuntu-latest=-self-hosted",
                "-s",
                "GITHUB_TOKEN=" + variables.get("GITHUB_TOKEN", "token"),
            ),
            *(word for name, value in self.tokens.items() for word in ("--var", f"{name}={value}")),
            *("--var", "INFRA_WORKLOAD_IDENTITY_PROVIDER=projects/1/providers/github"),
            *(word for path in local for word in ("--local-repository", path)),
            *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
        ]


def files(target: WorkflowTarget, programs: Path) -> dict[str, str]:
    """The shipped workflows, made to run here: nothing is installed; act knows no `queue` and no job's index.

    act gives every job the same GITHUB_TOKEN; here each has a variable of its own (`JOB_plan` for the job
    `plan`), which can be a token with that job's permissions.
    """
    paths = {}
    for path, text in workflows.render(target, SOURCE).items():
        text = re.sub(r"^ +queue: max\n", "", text, flags=re.MULTILINE)
        text = text.replace("${{ strategy.job-index }}", "0")
        # act waits for no reviewer: what one does meanwhile is done by the gate's job.
        text = text.replace('- run: echo "Approved."', '- run: eval "$WHILE_GATE_WAITS"')
        # act ends a run when a called workflow fails; GitHub goes on with the jobs whose condition allows it.
        text = re.sub(
            r"^( +)- (name: (?:Plan|Check))$", r"\1- \2\n\1  continue-on-error: true", text, flags=re.M
        )
        text, count = _INSTALL.subn(f'        run: echo "{programs}" >> "$GITHUB_PATH"\n', text)
        calls_only = "    steps:\n" not in text
        assert count or calls_only, f"{path} has no step that installs infra"
        parts = re.split(r"^(  [\w-]+:\n)", text, flags=re.MULTILINE)
        for index in range(1, len(parts), 2):
            variable = variable_of(parts[index].strip(" :\n"))
            parts[index + 1] = parts[index + 1].replace("github.token", f"vars.{variable}")
        paths[path] = "".join(parts)
    return paths


def variable_of(job: str) -> str:
    """The name of the variable that holds a job's token."""
    return f"JOB_{job.replace('-', '_')}"


def permissions(target: WorkflowTarget) -> dict[str, dict[str, str]]:
    """What each job that writes or reads on GitHub may do there, by the name of its variable."""
    return {
        variable_of(name): {
            key.replace("-", "_"): value for key, value in job["permissions"].items() if key != "id-token"
        }
        for text in workflows.render(target, SOURCE).values()
        for name, job in read_yaml(text)["jobs"].items()
        if "steps" in job
    }


def _standin(folder: Path, name: str) -> str:
    """An action that does here what the named one does on GitHub, as act's `--local-repository` wants it."""
    inputs, outputs, script, env = STANDINS[name]
    action, _, reference = name.partition(" ")[0].partition("@")
    owner, repository, *below = action.split("/")
    root = folder / f"{owner}-{repository}"
    path = root.joinpath(*below)
    path.mkdir(parents=True, exist_ok=True)
    step = {"id": path.name.rpartition("-")[2], "shell": "bash", "run": script, "env": env}
    content = {
        "name": path.name,
        "description": "Stands in for an action.",
        "inputs": {key: {"default": value} for key, value in inputs.items()},
        "outputs": {key: {"value": value} for key, value in outputs.items()},
        "runs": {"using": "composite", "steps": [step]},
    }
    # JSON is YAML, too.
    (path / "action.yml").write_text(json.dumps(content))
    return f"{owner}/{repository}@{reference}={root}"
