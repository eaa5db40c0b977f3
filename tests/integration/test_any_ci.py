"""The pipelines of other CIs: their script lines run in order, on real Git, real Terraform and a bucket.

Each file is read as its CI reads it, and each job's lines run in one shell in a clone of their own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.scaffold.pipelines import (
    SYSTEMS,
    PipelineEnvironment,
    PipelineTarget,
    System,
    render_pipeline,
)
from orchestrator.state.plan_objects import digest_key
from tests.support.merging import value
from tests.support.recorded_stack import UPSTREAM, RecordedProject, serving
from tests.support.repo import Repo
from tests.support.warm import programs

DEV, PROD = "infra/envs/dev/net/main.tf", "infra/envs/prod/net/main.tf"
IMAGE = f"registry.example.com/infra@sha256:{'a' * 64}"
_LIMIT = 240


def config(system: str) -> str:
    accounts = "accounts: {plan: p@x.iam.gserviceaccount.com, apply: a@x.iam.gserviceaccount.com, "
    accounts += "drift: d@x.iam.gserviceaccount.com}"
    return (
        f"version: 1\nbackend:\n  gcs: {{bucket: states}}\nci: {{system: {system}}}\n"
        f"environments:\n  dev: {{{accounts}}}\n  prod: {{approved_by: manifest, {accounts}}}\n"
    )


@dataclass(frozen=True)
class JobResult:
    """What came of the lines of one job."""

    code: int
    out: str
    folder: Path

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()


Script = Callable[[str], tuple[str, Mapping[str, str]]]


def _gitlab(root: Path) -> Script:
    document = yaml.safe_load((root / ".gitlab-ci.yml").read_text())
    return lambda job: ("\n".join(document[job]["script"]), {"INFRA_ID_TOKEN": "token"})


def _bitbucket(root: Path) -> Script:
    pipelines = yaml.safe_load((root / "bitbucket-pipelines.yml").read_text())["pipelines"]
    steps: dict[str, Any] = {}

    def collect(node: Any) -> None:
        for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            if isinstance(item, dict) and "script" in item:
                steps[item["name"].replace(" ", "-")] = item
            collect(item)

    collect(pipelines)
    return lambda job: ("\n".join(steps[job]["script"]), {"BITBUCKET_STEP_OIDC_TOKEN": "token"})


def _cloudbuild(root: Path) -> Script:
    def script(job: str) -> tuple[str, Mapping[str, str]]:
        (step,) = yaml.safe_load((root / f"cloudbuild/{job}.yaml").read_text())["steps"]
        assert [entry for entry in step["env"] if "$" in entry] in ([], ["MANIFEST_SHA256=$_MANIFEST_SHA256"])
        return step["script"], {}

    return script


def _jenkins(root: Path) -> Script:
    text = (root / "Jenkinsfile").read_text()

    def script(job: str) -> tuple[str, Mapping[str, str]]:
        (script_text,) = re.findall(rf"stage\('{job.replace('-', ' ')}'\) .*?sh '''(.*?)'''", text, re.DOTALL)
        return script_text, {}

    return script


READERS: Mapping[System, Callable[[Path], Script]] = {
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "cloudbuild": _cloudbuild,
    "jenkins": _jenkins,
}


@dataclass
class Pipeline:
    """A repository with its bucket, and the jobs of one CI."""

    recorded: RecordedProject
    folder: Path
    script: Script
    bin: Path
    jobs: int = 0

    def __call__(self, job: str, branch: str = "main", **env: str) -> JobResult:
        """Run the lines of a job in a clone of a branch."""
        self.jobs += 1
        clone = self.folder / f"job-{self.jobs}"
        self.recorded.repo.git("clone", "-q", str(self.recorded.repo.root), str(clone))
        Repo(clone).git("checkout", "-q", "--detach", f"origin/{branch}")
        lines, own = self.script(job)
        variables = {
            **os.environ,
            **own,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "CI": "true",
            "INFRA_WORKLOAD_IDENTITY_PROVIDER": "projects/1/locations/global/pools/p/providers/x",
            "STORAGE_EMULATOR_HOST": self.recorded.server.url_of(None),
            "INFRA_SANDBOX": "test",
            **env,
        }
        ran = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", lines],
            cwd=clone,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
        )
        return JobResult(ran.returncode, ran.stdout, clone)


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything is applied; each test gets a copy."""
    folder = tmp_path_factory.mktemp("applied")
    with serving(folder / "gcs") as server:
        files = {"infra.yaml": config("gitlab"), DEV: UPSTREAM, PROD: UPSTREAM}
        recorded = RecordedProject(Repo(folder / "repo", files), server)
        recorded.apply()
        ledger = recorded.ledger("prod/net")
        digest_key(ledger.storage, ledger.folder)
    return folder


@pytest.fixture
def make_pipeline(tmp_path: Path, applied: Path) -> Iterator[Callable[[System], Pipeline]]:
    """What `infra init --ci` writes for a CI, on trunk of a repository in which everything is applied."""
    import shutil

    for name in ("gcs", "repo"):
        shutil.copytree(applied / name, tmp_path / name, symlinks=True)
    bin_ = programs(tmp_path / "bin")
    with serving(tmp_path / "gcs") as server:

        def make(system: System) -> Pipeline:
            recorded = RecordedProject(Repo(tmp_path / "repo"), server)
            recorded.repo.commit({"infra.yaml": config(system)}, "Name the CI")
            ran = recorded.infra("init", "--ci", system, "--image", IMAGE, code=0)
            assert "would" not in ran.out
            recorded.repo.git("add", "--all")
            recorded.repo.git("commit", "-qm", "Add the pipeline")
            return Pipeline(recorded, tmp_path, READERS[system](recorded.repo.root), bin_)

        yield make


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_change_is_planned_approved_by_its_hash_and_applied(
    make_pipeline: Callable[[System], Pipeline], system: System
) -> None:
    pipeline = make_pipeline(system)
    repo = pipeline.recorded.repo
    repo.branch("feature")
    repo.commit({PROD: value("two")}, "Make it two")
    planned = pipeline("plan-prod", "feature")
    assert planned.code == 0, planned.out
    assert '"one" -> "two"' in planned.read("plan-prod.md")
    assert "its manifest is approved" in planned.read("plan-prod.md")

    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "--no-edit", "feature")
    compared = pipeline("compare-prod")
    assert compared.code == 0, compared.out
    assert "1 stack must be approved" in compared.out
    (approved,) = re.findall(r"SHA-256 of manifest-prod\.json: ([0-9a-f]{64})", compared.out)
    assert '"two"' in compared.read("manifest-prod.md") + compared.out

    if system == "gitlab":
        refused = pipeline("apply-prod", MANIFEST_SHA256="0" * 64)
        assert refused.code == 5, refused.out
        assert "is not the manifest that was approved" in refused.out
    ran = pipeline("apply-prod", MANIFEST_SHA256=approved)
    assert ran.code == 0, ran.out
    assert pipeline.recorded.infra("output", "prod/net", "x", "--raw", code=0).out == "two\n"

    drift = pipeline("drift-prod")
    assert drift.code == 0, drift.out
    assert drift.read("drift-prod.md")
    assert "<testsuite" in drift.read("drift-prod.xml")


@pytest.mark.parametrize("system", ["gitlab", "bitbucket"])
def test_plans_are_posted_by_a_job_without_an_account(tmp_path: Path, system: System) -> None:
    target = PipelineTarget("main", (PipelineEnvironment("dev"), PipelineEnvironment("prod")), IMAGE)
    for name, text in render_pipeline(system, target).items():
        (tmp_path / name).write_text(text)
    lines, _ = READERS[system](tmp_path)("comment")
    (tmp_path / "plan-dev.md").write_text("# dev\n")
    (tmp_path / "plan-prod.md").write_text("# prod\n")
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >> calls\ncase "$*" in *@-*) cat >> calls;; esac\n')
    curl.chmod(0o755)
    env = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "CI_API_V4_URL": "https://gitlab.example.com/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_IID": "3",
        "BITBUCKET_REPO_FULL_NAME": "acme/infra",
        "BITBUCKET_PR_ID": "3",
    }

    def run(**more: str) -> str:
        argv = ["bash", "-eo", "pipefail", "-c", lines]
        ran = subprocess.run(argv, cwd=tmp_path, env=env | more, check=True, capture_output=True, text=True)
        return ran.stdout

    assert "artifacts only" in run()
    assert not (tmp_path / "calls").exists()
    run(INFRA_COMMENT_TOKEN="secret")
    calls = (tmp_path / "calls").read_text()
    urls = {
        "gitlab": "https://gitlab.example.com/api/v4/projects/7/merge_requests/3/notes",
        "bitbucket": "https://api.bitbucket.org/2.0/repositories/acme/infra/pullrequests/3/comments",
    }
    assert calls.count(urls[system]) == 2
    bodies = {
        "gitlab": ["body@plan-dev.md", "body@plan-prod.md"],
        "bitbucket": ['{"content": {"raw": "# dev\\n"}}', '{"content": {"raw": "# prod\\n"}}'],
    }
    assert [body for body in bodies[system] if body in calls] == bodies[system]


@pytest.mark.parametrize("system", [system for system in SYSTEMS if system != "jenkins"])
def test_what_is_written_fits_the_schema_that_its_ci_publishes(tmp_path: Path, system: System) -> None:
    program = Path(sys.executable).parents[1] / "schemas/bin/check-jsonschema"
    if not program.exists():
        pytest.skip("check-jsonschema is not installed: `make test` installs it")
    environments = (PipelineEnvironment("dev"), PipelineEnvironment("prod", by_manifest=True))
    schema = {
        "gitlab": "gitlab-ci",
        "bitbucket": "bitbucket-pipelines",
        "cloudbuild": "cloudbuild",
    }[system]
    for name, text in render_pipeline(system, PipelineTarget("main", environments, IMAGE)).items():
        path = tmp_path / Path(name).name
        path.write_text(text)
        argv = [str(program), "--builtin-schema", f"vendor.{schema}", str(path)]
        ran = subprocess.run(argv, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
