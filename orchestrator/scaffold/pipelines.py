"""Renders the pipelines of CIs other than GitHub Actions: plan, compare, apply and drift as shell lines.

Each job logs in as one account of one environment, and runs `infra` from an image that is pinned by its
digest. What the lines have in common is written once here; a CI's own form is around them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from orchestrator.config.model import Config, Order
from orchestrator.errors import UsageError
from orchestrator.forge.factory import render_install
from orchestrator.forge.install_source import GitSource, ReleaseSource, UnknownSource
from orchestrator.repository.model import Project
from orchestrator.scaffold.init import check_names, select_source

System = Literal["gitlab", "bitbucket", "cloudbuild", "jenkins"]
SYSTEMS: tuple[System, ...] = get_args(System)

IMAGE = re.compile(r"[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}")
DOCKERFILE = "infra.Dockerfile"
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
# The variable in which whoever approves passes a manifest's SHA-256 on.
SHA256 = "MANIFEST_SHA256"
# Minutes: an apply may take two hours, and is followed for a while once it is cancelled.
_LIMIT = 150
_FINALIZE = "infra ci finalize --limit 4m"


@dataclass(frozen=True)
class PipelineEnvironment:
    """An environment; with `by_manifest` somebody approves the SHA-256 of its manifest before each apply."""

    name: str
    by_manifest: bool = False


@dataclass(frozen=True)
class PipelineTarget:
    """Whom the pipeline is for: trunk, the environments in promotion order, and the image that has infra."""

    trunk: str
    environments: Sequence[PipelineEnvironment]
    image: str


def select_environments(config: Config, names: Sequence[str]) -> tuple[PipelineEnvironment, ...]:
    """The environments as a pipeline needs them, by the rules of approval in infra.yaml."""
    order = Order(tuple(names))
    return tuple(
        PipelineEnvironment(
            name, config.needs_approval(name, order) and config.environment(name).approved_by != "merge"
        )
        for name in names
    )


def render_dockerfile(source: GitSource | ReleaseSource) -> str:
    """The Dockerfile of the image that the jobs run in: infra and what it needs, pinned by hash."""
    install = render_install(source).replace("$RUNNER_TEMP", "/opt")
    return (
        "# The image that the jobs of infra run in. Build it on a protected branch.\n"
        "# Name the base by its digest, as jobs name this image.\n"
        "FROM python:3.12-slim-bookworm\n"
        "RUN apt-get update && apt-get install --yes --no-install-recommends curl git && "
        "rm -rf /var/lib/apt/lists/*\n"
        f"RUN <<'INSTALL'\nset -eu\n{install}"
        # Once, in place of each job.
        "/opt/infra/bin/python -I -m compileall -q /opt/infra/lib > /dev/null || true\nINSTALL\n"
        'ENV PATH="/opt/infra/bin:$PATH"\n'
    )


def render_pipeline(system: System, target: PipelineTarget) -> Mapping[str, str]:
    """The files of a pipeline, path from the repository's root → content."""
    return _RENDERERS[system](target)


def make_pipeline(
    project: Project,
    system: System | None,
    image: str,
    *,
    trunk: str | None,
    environments: Sequence[str],
    source_text: str | None,
) -> Mapping[str, str]:
    """The files of a pipeline for a project; without an image the Dockerfile of one.

    Raises UsageError for an unknown CI, an image without a digest, and where environments, or the source of
    infra, are unknown.
    """
    if system is None:
        raise UsageError("--image is for another CI.", advice=f"Name it: --ci {'|'.join(SYSTEMS)}.")
    names = tuple(environments) or tuple(project.config.environments) or project.order.all
    if not names:
        raise UsageError(
            "There is no environment here.", advice="Name them in promotion order: --environment dev."
        )
    for name in names:
        if not _ENVIRONMENT.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of a job.",
                advice="Pipelines are written for environments of letters, digits, - and _.",
            )
    if not image:
        source = select_source(project.root, source_text, replacing=False)
        if not isinstance(source, GitSource | ReleaseSource):
            reason = source.reason if isinstance(source, UnknownSource) else "an action is for GitHub Actions"
            raise UsageError(
                f"The image needs a source of infra that is fixed by a commit or a hash: {reason}.",
                advice="Name one by --from git+https://… or --from 'infra-orchestrator==…', or an image that "
                "you have by --image NAME@sha256:DIGEST.",
            )
        return {DOCKERFILE: render_dockerfile(source)}
    if not IMAGE.fullmatch(image):
        raise UsageError(
            f"--image {image!r} is not fixed by its digest.",
            advice="Write NAME@sha256:DIGEST: a tag can be moved to another image. `docker buildx imagetools "
            "inspect NAME:TAG` prints the digest.",
        )
    branch = trunk or project.config.trunk or "main"
    check_names("", branch, ())
    return render_pipeline(system, PipelineTarget(branch, select_environments(project.config, names), image))


def describe_next(project: Project, system: System | None, image: str) -> tuple[str, ...]:
    """What only people can do next, in order."""
    if not image:
        return (
            f"Build the image from {DOCKERFILE} and push it to a registry of yours.",
            f"`infra init --ci {system} --image NAME@sha256:DIGEST` writes the pipeline that runs in it.",
        )
    steps = ["Set what docs/any-ci.md of infra lists: accounts, who may alter the pipeline, who may approve."]
    if project.config.ci.system != system:
        steps.insert(
            0, f"Put `ci: {{system: {system}}}` into infra.yaml, and each environment's `approved_by`."
        )
    return (*steps, "`infra validate` says whether what approves fits this CI.")


# The lines

_CREDENTIALS = """\
cat > "$login/google.json" <<LOGIN
{
  "type": "external_account",
  "audience": "//iam.googleapis.com/$INFRA_WORKLOAD_IDENTITY_PROVIDER",
  "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
  "token_url": "https://sts.googleapis.com/v1/token",
  "credential_source": {"file": "$login/token"},
  "service_account_impersonation_url": "$accounts/${account#account=}:generateAccessToken"
}
LOGIN"""
_WITHOUT = """\
if [ -z "${INFRA_COMMENT_TOKEN:-}" ]; then
  echo "Without INFRA_COMMENT_TOKEN the plans are artifacts only."
  exit 0
fi"""
_CURL = "curl --silent --show-error --fail --output /dev/null"


def _plan(name: str) -> list[str]:
    markdown, document = f"plan-{name}.md", f"plan-{name}.json"
    return [
        # Links that a change brings would lead what is written to other files.
        f"find .infra {markdown} {document} -type l -delete 2> /dev/null || true",
        f"infra ci plan --env {name} --base origin/@@TRUNK@@ --markdown {markdown} --json {document}",
    ]


def _compare(name: str) -> list[str]:
    return [f"infra ci compare {name} --manifest manifest-{name}.json --markdown manifest-{name}.md"]


def _apply(environment: PipelineEnvironment) -> list[str]:
    """The lines that apply; a manifest is written again, and is the approved one or exit 5."""
    name = environment.name
    if not environment.by_manifest:
        return [f"infra ci apply {name}"]
    return [
        f"infra ci compare {name} --manifest manifest-{name}.json",
        f'infra ci apply {name} --manifest manifest-{name}.json --sha256 "${SHA256}"',
    ]


def _drift(name: str) -> list[str]:
    return [f"infra drift {name} --markdown drift-{name}.md --junit drift-{name}.xml"]


def _fetch(target: PipelineTarget) -> list[str]:
    return [f'git fetch --quiet origin "+refs/heads/{target.trunk}:refs/remotes/origin/{target.trunk}"']


def _log_in(token: str, name: str, account: str) -> list[str]:
    """The lines that exchange the job's own token for one of a service account, as trunk names it."""
    return [
        "umask 077",
        'login="$(mktemp -d)"',
        f'printf %s "${token}" > "$login/token"',
        f'account="$(infra ci account {name} {account} --base origin/@@TRUNK@@)"',
        "accounts=https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts",
        _CREDENTIALS,
        'export GOOGLE_APPLICATION_CREDENTIALS="$login/google.json"',
    ]


def _items(lines: Sequence[str], indent: int) -> str:
    """Shell lines as a YAML list."""
    items = []
    for line in lines:
        if "\n" in line:
            items.append("- |\n" + textwrap.indent(line, "  "))
        else:
            items.append("- " + (_quoted(line) if ": " in line or line[0] in "'\"[{&*!|>%@`#" else line))
    return textwrap.indent("\n".join(items), " " * indent)


def _quoted(line: str) -> str:
    return "'" + line.replace("'", "''") + "'"


def _finished(text: str, target: PipelineTarget) -> str:
    return text.replace("@@TRUNK@@", target.trunk).replace("@@IMAGE@@", target.image)


# GitLab CI

_GITLAB = """\
# Plans merge requests, applies trunk, and checks for drift on a schedule. `infra init --ci gitlab` writes it;
# docs/any-ci.md of infra says what to set in GitLab, and who can alter what.
default:
  image: @@IMAGE@@

variables:
  GIT_DEPTH: "0"
  GIT_STRATEGY: clone

# Forks and merge requests into other branches get nothing.
workflow:
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event"
        && $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == "@@TRUNK@@"
        && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID
    - if: $CI_COMMIT_BRANCH == "@@TRUNK@@" && $CI_PIPELINE_SOURCE =~ /^(push|schedule|web)$/

stages: [plan, comment, @@STAGES@@, drift]

.infra:
  id_tokens:
    INFRA_ID_TOKEN:
      aud: https://iam.googleapis.com/$INFRA_WORKLOAD_IDENTITY_PROVIDER

@@JOBS@@
# Has no account, and runs no Terraform. The token is a variable of the environment `comment` alone.
comment:
  stage: comment
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      when: always
  environment:
    name: comment
    action: access
  variables:
    GIT_STRATEGY: none
  script:
@@SCRIPT@@
"""
_GITLAB_COMMENT = f"""\
for file in plan-*.md; do
  {_CURL} --header "PRIVATE-TOKEN: $INFRA_COMMENT_TOKEN" --data-urlencode "body@$file" \\
    "$CI_API_V4_URL/projects/$CI_PROJECT_ID/merge_requests/$CI_MERGE_REQUEST_IID/notes"
done"""
_GITLAB_JOB = """\
@@NAME@@:
  extends: .infra
  stage: @@STAGE@@
  rules:
    - if: @@IF@@
@@MORE@@  script:
@@SCRIPT@@
"""
_ARTIFACTS = """\
  artifacts:
    when: always
    expire_in: 1 week
    paths: [@@PATHS@@]
"""


def _render_gitlab(target: PipelineTarget) -> Mapping[str, str]:
    merge_request = '$CI_PIPELINE_SOURCE == "merge_request_event"'
    on_trunk = '$CI_PIPELINE_SOURCE == "push" || $CI_PIPELINE_SOURCE == "web"'
    jobs = []

    def job(
        name: str,
        stage: str,
        rule: str,
        script: Sequence[str],
        account: str,
        environment: str,
        more: str = "",
    ) -> None:
        before = [*_fetch(target), *_log_in("INFRA_ID_TOKEN", environment, account)]
        text = (
            _GITLAB_JOB.replace("@@NAME@@", name)
            .replace("@@STAGE@@", stage)
            .replace("@@IF@@", rule)
            .replace("@@MORE@@", more)
            .replace("@@SCRIPT@@", _items([*before, *script], 4))
        )
        jobs.append(text)

    for environment in target.environments:
        name = environment.name
        reports = _ARTIFACTS.replace("@@PATHS@@", f"plan-{name}.md, plan-{name}.json")
        job(f"plan-{name}", "plan", merge_request, _plan(name), "plan", name, reports)
    for environment in target.environments:
        name = environment.name
        if environment.by_manifest:
            reports = _ARTIFACTS.replace("@@PATHS@@", f"manifest-{name}.md, manifest-{name}.json")
            job(f"compare-{name}", f"compare {name}", on_trunk, _compare(name), "plan", name, reports)
        after = [*_fetch(target), *_log_in("INFRA_ID_TOKEN", name, "apply"), _FINALIZE]
        more = (
            ("      when: manual\n" if environment.by_manifest else "")
            + f"  environment:\n    name: {name}\n  resource_group: infra-{name}\n"
            + f"  timeout: {_LIMIT} minutes\n  after_script:\n{_items(after, 4)}\n"
        )
        job(f"apply-{name}", f"apply {name}", on_trunk, _apply(environment), "apply", name, more)
    for environment in target.environments:
        name = environment.name
        reports = _ARTIFACTS.replace("@@PATHS@@", f"drift-{name}.md") + (
            f"    reports:\n      junit: drift-{name}.xml\n"
        )
        job(
            f"drift-{name}",
            "drift",
            '$CI_PIPELINE_SOURCE == "schedule"',
            _drift(name),
            "drift",
            name,
            reports,
        )
    stages = ", ".join(
        f"compare {environment.name}, apply {environment.name}"
        if environment.by_manifest
        else f"apply {environment.name}"
        for environment in target.environments
    )
    text = (
        _GITLAB.replace("@@STAGES@@", stages)
        .replace("@@JOBS@@", "\n".join(jobs))
        .replace("@@SCRIPT@@", _items([_WITHOUT, _GITLAB_COMMENT], 4))
    )
    return {".gitlab-ci.yml": _finished(text, target)}


# Bitbucket Pipelines

_BITBUCKET = """\
# Plans pull requests, applies trunk, and checks for drift on a schedule.
# `infra init --ci bitbucket` writes it.
# docs/any-ci.md of infra says what to set in Bitbucket, and who can alter what.
image:
  name: @@IMAGE@@

clone:
  depth: full

pipelines:
  pull-requests:
    "**":
@@PLANS@@
      # Has no account, and runs no Terraform. The token is a variable of the deployment `comment` alone.
      - step:
          name: comment
          deployment: comment
          clone:
            enabled: false
          script:
@@COMMENT@@
  branches:
    @@TRUNK@@:
@@ROLLOUT@@
  custom:
@@CUSTOM@@
"""
_BITBUCKET_COMMENT = f"""\
for file in plan-*.md; do
  python3 -I -c 'import json, sys; print(json.dumps({{"content": {{"raw": sys.stdin.read()}}}}))' < "$file" |
    {_CURL} --header "Authorization: Bearer $INFRA_COMMENT_TOKEN" \\
      --header "Content-Type: application/json" --data-binary @- \\
      "https://api.bitbucket.org/2.0/repositories/$BITBUCKET_REPO_FULL_NAME/pullrequests/$BITBUCKET_PR_ID/comments"
done"""
_STEP = """\
- step:
    name: @@NAME@@
    oidc: true
@@MORE@@    script:
@@SCRIPT@@
"""


def _render_bitbucket(target: PipelineTarget) -> Mapping[str, str]:
    def step(
        name: str, environment: str, account: str, script: Sequence[str], indent: int, more: str = ""
    ) -> str:
        before = [*_fetch(target), *_log_in("BITBUCKET_STEP_OIDC_TOKEN", environment, account)]
        text = (
            _STEP.replace("@@NAME@@", name)
            .replace("@@MORE@@", more)
            .replace("@@SCRIPT@@", _items([*before, *script], 6))
        )
        return textwrap.indent(text, " " * indent)

    def artifacts(*names: str) -> str:
        return "    artifacts: [" + ", ".join(names) + "]\n"

    def apply(environment: PipelineEnvironment, indent: int) -> str:
        name = environment.name
        after = [*_fetch(target), *_log_in("BITBUCKET_STEP_OIDC_TOKEN", name, "apply"), _FINALIZE]
        more = f"    deployment: {name}\n    max-time: {_LIMIT}\n    after-script:\n{_items(after, 6)}\n"
        return step(f"apply {name}", name, "apply", _apply(environment), indent, more)

    names = [environment.name for environment in target.environments]
    plans = "".join(
        step(f"plan {name}", name, "plan", _plan(name), 6, artifacts(f"plan-{name}.md", f"plan-{name}.json"))
        for name in names
    )
    rollout, custom = "", ""
    for environment in target.environments:
        name = environment.name
        if environment.by_manifest:
            reports = artifacts(f"manifest-{name}.md", f"manifest-{name}.json")
            rollout += step(f"compare {name}", name, "plan", _compare(name), 6, reports)
            variables = f"      - variables:\n          - name: {SHA256}\n"
            custom += f"    apply-{name}:\n{variables}{apply(environment, 6)}"
        else:
            rollout += apply(environment, 6)
    drift = "".join(
        step(f"drift {name}", name, "drift", _drift(name), 6, artifacts(f"drift-{name}.md")) for name in names
    )
    custom += f"    drift:\n{drift}"
    text = (
        _BITBUCKET.replace("@@PLANS@@\n", plans)
        .replace("@@ROLLOUT@@\n", rollout)
        .replace("@@CUSTOM@@\n", custom)
        .replace("@@COMMENT@@", _items([_WITHOUT, _BITBUCKET_COMMENT], 12))
    )
    return {"bitbucket-pipelines.yml": _finished(text, target)}


# Cloud Build

_CLOUDBUILD = """\
# @@WHAT@@ `infra init --ci cloudbuild` writes it.
# docs/any-ci.md of infra says what to set in Cloud Build, and who can alter what.
# The trigger's service account is infra-@@ENV@@-@@ACCOUNT@@.
steps:
  - id: @@ID@@
    name: @@IMAGE@@
    env:
      - CI=true
@@ENVIRON@@    script: |
      #!/bin/sh
      set -eu
@@SCRIPT@@
@@SUBSTITUTIONS@@options:
  logging: CLOUD_LOGGING_ONLY
timeout: @@SECONDS@@s
"""
# Cloud Build clones the newest commit alone, and infra needs the history.
_UNSHALLOW = (
    'if [ "$(git rev-parse --is-shallow-repository)" = true ]; then git fetch --quiet --unshallow origin; fi'
)


def _render_cloudbuild(target: PipelineTarget) -> Mapping[str, str]:
    files = {}

    def build(
        what: str, name: str, account: str, id_: str, script: Sequence[str], *, by_manifest: bool = False
    ) -> None:
        lines = "\n".join([_UNSHALLOW, *_fetch(target), *script])
        text = (
            _CLOUDBUILD.replace("@@WHAT@@", what)
            .replace("@@ID@@", id_)
            .replace("@@ACCOUNT@@", account)
            .replace("@@ENVIRON@@", f"      - {SHA256}=$_{SHA256}\n" if by_manifest else "")
            .replace("@@SUBSTITUTIONS@@", f'substitutions:\n  _{SHA256}: ""\n' if by_manifest else "")
            .replace("@@SCRIPT@@", textwrap.indent(lines, " " * 6))
            .replace("@@SECONDS@@", str(_LIMIT * 60))
            .replace("@@ENV@@", name)
        )
        files[f"cloudbuild/{id_}-{name}.yaml"] = _finished(text, target)

    for environment in target.environments:
        name = environment.name
        build(f"Plans pull requests in {name}.", name, "plan", "plan", _plan(name))
        if environment.by_manifest:
            build(f"Shows what is pending in {name}.", name, "plan", "compare", _compare(name))
        build(
            f"Applies what is pending in {name}.",
            name,
            "apply",
            "apply",
            _apply(environment),
            by_manifest=environment.by_manifest,
        )
        build(f"Checks {name} for drift.", name, "drift", "drift", _drift(name))
    return files


# Jenkins

_JENKINS = """\
// Plans pull requests, applies trunk, and checks for drift every morning.
// `infra init --ci jenkins` writes it.
// docs/any-ci.md of infra says what to set in Jenkins, and who can alter what. The agents have the labels
// infra-ENV-plan, infra-ENV-apply and infra-ENV-drift, and each is the account of that name.
pipeline {
    agent none
    triggers { cron(env.BRANCH_NAME == '@@TRUNK@@' ? 'H 5 * * *' : '') }
    environment { CI = 'true' }
    stages {
@@STAGES@@
    }
}
"""
_STAGE = """\
        stage('@@NAME@@') {
            when {
                beforeAgent true
@@BEFORE@@                @@WHEN@@
            }
@@INPUT@@            agent { docker { image '@@IMAGE@@'; label 'infra-@@ENV@@-@@ACCOUNT@@' } }
            steps {
                sh '''
@@SCRIPT@@
                '''
            }
            post {
@@POST@@
            }
        }
"""
_INPUT = """\
            input {
                message 'Approve the plans of @@ENV@@ by the SHA-256 that "compare @@ENV@@" printed'
                submitter 'infra-@@ENV@@-approvers'
                parameters { string(name: '@@SHA256@@', trim: true) }
            }
"""


def _render_jenkins(target: PipelineTarget) -> Mapping[str, str]:
    by_push = "allOf { branch '@@TRUNK@@'; not { triggeredBy 'TimerTrigger' } }"
    by_time = "allOf { branch '@@TRUNK@@'; triggeredBy 'TimerTrigger' }"
    stages = []

    def stage(
        what: str, when: str, name: str, account: str, script: Sequence[str], post: str, asks: str = ""
    ) -> None:
        stages.append(
            _STAGE.replace("@@NAME@@", f"{what} {name}")
            .replace("@@BEFORE@@", "                beforeInput true\n" if asks else "")
            .replace("@@WHEN@@", when)
            .replace("@@INPUT@@", asks)
            .replace("@@ACCOUNT@@", account)
            .replace("@@SCRIPT@@", textwrap.indent("\n".join(script), " " * 20))
            .replace("@@POST@@", textwrap.indent(post, " " * 16))
            .replace("@@ENV@@", name)
            .replace("@@SHA256@@", SHA256)
        )

    def archive(*names: str) -> str:
        return f"always {{ archiveArtifacts artifacts: '{', '.join(names)}', allowEmptyArchive: true }}"

    for environment in target.environments:
        name = environment.name
        reports = archive(f"plan-{name}.md", f"plan-{name}.json")
        stage("plan", "changeRequest target: '@@TRUNK@@'", name, "plan", _plan(name), reports)
    for environment in target.environments:
        name = environment.name
        if environment.by_manifest:
            reports = archive(f"manifest-{name}.md", f"manifest-{name}.json")
            stage("compare", by_push, name, "plan", _compare(name), reports)
        follow = f"always {{ sh '{_FINALIZE}' }}"
        asks = _INPUT if environment.by_manifest else ""
        stage("apply", by_push, name, "apply", _apply(environment), follow, asks)
    for environment in target.environments:
        name = environment.name
        stage("drift", by_time, name, "drift", _drift(name), archive(f"drift-{name}.md", f"drift-{name}.xml"))
    return {"Jenkinsfile": _finished(_JENKINS.replace("@@STAGES@@\n", "\n".join(stages)), target)}


_RENDERERS: Mapping[System, Callable[[PipelineTarget], Mapping[str, str]]] = {
    "gitlab": _render_gitlab,
    "bitbucket": _render_bitbucket,
    "cloudbuild": _render_cloudbuild,
    "jenkins": _render_jenkins,
}
