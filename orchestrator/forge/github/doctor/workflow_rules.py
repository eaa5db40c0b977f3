"""Checks a repository's workflows: least permissions, pinned actions, no untrusted code with rights."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from orchestrator.config.model import Install
from orchestrator.forge.check import ForgeCheck
from orchestrator.forge.github.actions import SETUP_OPENTOFU, SETUP_TERRAFORM
from orchestrator.forge.github.doctor.check import error_check, ok_check, warning_check
from orchestrator.forge.github.doctor.workflow_files import FOLDER, Workflow, WorkflowJob, WorkflowStep
from orchestrator.forge.github.workflows import drift_workflow, plan_workflow

ATTEST = "infra-attest.yml"
OURS = ("infra-plan.yml", "infra-affected.yml", ATTEST, "infra-apply.yml")
# What an earlier infra wrote: one file for the plans of all environments, whose job also commented.
OLD = "infra-plan-run.yml"
# Ours that are called at trunk, which is what Google trusts.
_CALLED = re.compile(r"/infra-(?:affected|attest|plan-[\w-]+|drift-[\w-]+)\.ya?ml$")

_PINNED = re.compile(r"@[0-9a-f]{40}(?:[0-9a-f]{24})?$")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
# What other people write. Numbers and commits in an event cannot be written freely.
_TEXT = re.compile(r"github\.(?:event\.|event\[|head_ref|ref_name)|inputs\.|inputs\[")
_SAFE = re.compile(r"github\.event\.(?:[\w.]+\.)?(?:number|id|sha|merged|draft)\b")
_HEAD = re.compile(r"github\.event\.pull_request\.head|github\.head_ref|refs/pull/|workflow_run\.head_")
# Events whose workflows have the repository's rights while somebody else's code is at hand.
_PRIVILEGED = frozenset({"pull_request_target", "workflow_run", "issue_comment"})
_TERRAFORM = re.compile(
    r"\binfra (?:ci (?:plan|compare|apply|finalize|settle)|plan|apply|destroy|drift)\b|\bterraform "
)
_INFRA = re.compile(r"(?<![\w./-])infra (?:ci|affected|plan|apply|destroy|drift|guard|unlock|resume)\b")
_INSTALLS = re.compile(r"\b(?:pip3?|pipx|uv)\b[^\n]*\binstall\b|\buvx\b")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
_PYTHON = re.compile(r"(?:^|[\s/])python[\d.]*\"? (?!-I\b)\S", re.MULTILINE)
_APPLIES = re.compile(r"\binfra (?:ci )?apply\b")
# An apply of reviewed changes; what reverts drift is kept apart by the ledger's claims alone.
_ROLLS_OUT = re.compile(r"\binfra (?:ci )?apply\b(?!.*--drift)")
# Workflows that `infra init` writes, and the actions by which they get Terraform.
_OWN = "infra-"
_SETUPS = tuple(f"{action.name}@" for action in (SETUP_TERRAFORM, SETUP_OPENTOFU))
_WRITES = ("checks", "statuses", "pull-requests", "contents", "issues", "deployments")


def check_workflows(
    workflows: Iterable[Workflow], repository: str, environments: Sequence[str] = ()
) -> Iterator[ForgeCheck]:
    """Runs every check on every workflow; `repository` is `OWNER/NAME`, empty if unknown.

    `environments` are those that must have workflows of their own.
    """
    files = list(workflows)
    checks = [*_check_missing(files, environments), *_check_outdated(files)]
    for file in files:
        if file.problem:
            checks.append(
                warning_check(
                    "workflow",
                    file.problem,
                    "What cannot be read cannot be checked, and GitHub does not run it.",
                    "Correct the file.",
                    file=file.file,
                )
            )
            continue
        checks += [
            *_check_rights(file),
            *_check_pins(file, repository),
            *_check_privileged(file),
            *_check_injections(file),
            *check_runs(file),
            *check_installs(file),
        ]
    yield from checks
    if not checks:
        yield ok_check("workflows", f"{len(files)} files, nothing to say")


def _check_missing(workflows: Iterable[Workflow], environments: Sequence[str]) -> Iterator[ForgeCheck]:
    """Checks that the workflows that plan, attest and apply exist, and those of each environment."""
    names = {workflow.name for workflow in workflows}
    lacking = [name for name in OURS if name not in names]
    own = [plan_workflow(name) for name in environments]
    if "infra-drift.yml" in names:
        own += [drift_workflow(name) for name in environments]
    lacking += [name for name in own if name not in names]
    if lacking:
        yield warning_check(
            "workflows",
            f"there is no {', '.join(lacking)} in {FOLDER}",
            "Nothing plans pull requests, or applies what is merged. Each environment has a plan and a drift "
            "workflow of its own, which is what its accounts trust.",
            "`infra init` writes them.",
        )


def _check_outdated(workflows: Iterable[Workflow]) -> Iterator[ForgeCheck]:
    """Reports workflows of an earlier infra, whose plans can no longer be approved."""
    for workflow in workflows:
        calls_attest = any(ATTEST in job.uses for job in workflow.jobs)
        if workflow.name == OLD or (
            workflow.name == "infra-plan.yml" and not workflow.problem and not calls_attest
        ):
            yield error_check(
                "workflows",
                "it is of an earlier infra, and attests no plan"
                if workflow.name != OLD
                else "nothing calls it",
                "Only plans that infra-attest attested count as approved, and no account trusts this file.",
                "`infra init --force` writes the workflows of this version; then delete infra-plan-run.yml.",
                file=workflow.file,
            )


def _check_rights(workflow: Workflow) -> Iterator[ForgeCheck]:
    """Checks permissions: none at the top, and no job that both runs Terraform and may write to GitHub."""
    silent = [job for job in workflow.jobs if job.permissions is None]
    if workflow.permissions != {} and (workflow.permissions is not None or silent):
        amount = "nothing" if workflow.permissions is None else "more than nothing"
        yield warning_check(
            "permissions",
            f"it says {amount} at its top",
            "A job that says nothing then has rights that nobody thought about.",
            "Write `permissions: {}` at the top, and what each job needs in the job.",
            file=workflow.file,
        )
    for job in workflow.jobs:
        both = [what for what in _WRITES if job.may(what, "write")]
        if both and _TERRAFORM.search(job.commands):
            yield error_check(
                "permissions",
                f"the job {job.name} runs Terraform and may write {', '.join(both)}",
                "Code in a plan (a provider, a data source) could post the check that approves it.",
                "Let one job run Terraform and upload its report, and another one post it.",
                file=workflow.file,
                line=job.line,
            )


def _check_pins(workflow: Workflow, repository: str) -> Iterator[ForgeCheck]:
    """Checks that actions are pinned to a commit, and the plan workflow to trunk."""
    for uses, line in _used(workflow):
        if uses.startswith("./"):
            if "pull_request" in workflow.events and _CALLED.search(uses):
                yield error_check(
                    "plan workflow",
                    f"it calls {uses}",
                    "That is the pull request's own copy, which can be changed; Google trusts trunk's alone.",
                    f"uses: {repository or 'OWNER/REPO'}/{FOLDER}/{uses.rpartition('/')[2]}@TRUNK",
                    file=workflow.file,
                    line=line,
                )
        elif not _is_pinned(uses, repository):
            yield error_check(
                "pins",
                f"{uses} is not pinned",
                "A tag or branch can be moved to other code, which runs with the job's rights.",
                "Name the commit: `uses: OWNER/ACTION@40-digit-commit # v1.2.3`. To enforce it: Settings → "
                "Actions → General → Require actions to be pinned to a full-length commit SHA.",
                file=workflow.file,
                line=line,
            )


def _used(workflow: Workflow) -> Iterator[tuple[str, int]]:
    for job in workflow.jobs:
        if job.uses:
            yield job.uses, job.uses_line
        yield from ((step.uses, step.line) for step in job.steps if step.uses)


def _is_pinned(uses: str, repository: str) -> bool:
    if uses.startswith("docker://"):
        return bool(_DIGEST.search(uses))
    path = uses.partition("@")[0]
    folder = f"{repository or '[^/]+/[^/]+'}/{FOLDER}"
    match = _CALLED.search(path) and re.fullmatch(folder, path.rpartition("/")[0], re.IGNORECASE)
    return bool(match) or bool(_PINNED.search(uses))


def _check_privileged(workflow: Workflow) -> Iterator[ForgeCheck]:
    """Checks that no untrusted code is checked out with the repository's rights."""
    events = sorted(workflow.events & _PRIVILEGED)
    for job in workflow.jobs if events else ():
        for step in job.steps:
            if step.uses.startswith("actions/checkout@") and _HEAD.search(step.inputs.get("ref", "")):
                yield error_check(
                    "checkout",
                    f"on {', '.join(events)} it checks out the head of a pull request",
                    "The workflow has the repository's rights and secrets; the code in it is anybody's.",
                    "Use `on: pull_request`, or leave `ref` out and read nothing of the head.",
                    file=workflow.file,
                    line=step.line,
                )
    if "pull_request_target" in workflow.events and any(
        _TERRAFORM.search(job.commands) for job in workflow.jobs
    ):
        yield error_check(
            "checkout",
            "it runs Terraform on pull_request_target",
            "A fork's pull request would get this repository's accounts.",
            "Use `on: pull_request`: forks get nothing then.",
            file=workflow.file,
        )


def _check_injections(workflow: Workflow) -> Iterator[ForgeCheck]:
    """Finds untrusted text that is put into a script before the shell reads it."""
    for job in workflow.jobs:
        for step in job.steps:
            for script, start in _scripts(step):
                yield from _injected(workflow, script, start)


def _scripts(step: WorkflowStep) -> Iterator[tuple[str, int]]:
    if step.run:
        yield step.run, step.run_line
    if step.uses.startswith("actions/github-script@") and "script" in step.inputs:
        yield step.inputs["script"], step.input_lines["script"] + 1


def _injected(workflow: Workflow, script: str, start: int) -> Iterator[ForgeCheck]:
    for match in _EXPRESSION.finditer(script):
        if _TEXT.search(_SAFE.sub("", match[1])):
            yield error_check(
                "injection",
                f"`${{{{ {match[1].strip()} }}}}` stands in a script",
                "A title, a branch's name or a comment can hold a command, which the shell then runs.",
                'Put it into `env:` of the step, and write "$NAME" in the script.',
                file=workflow.file,
                line=start + script[: match.start()].count("\n"),
            )


def check_installs(workflow: Workflow) -> Iterator[ForgeCheck]:
    """How jobs that run infra install it: pinned in the workflow, by a Python that reads no checkout."""
    for job in workflow.jobs if not workflow.problem else ():
        for step in job.steps if _INFRA.search(job.commands) else ():
            if _INSTALLS.search(step.run) and not _HASH.search(step.run):
                yield error_check(
                    "install",
                    f"the job {job.name} installs infra, and pins nothing by hash",
                    "Whoever releases a dependency, or registers the package's name first, runs code with "
                    "the job's rights; pins in a file of the checkout are the pull request's to change.",
                    "`infra init --force` writes the step with its pins.",
                    file=workflow.file,
                    line=step.run_line,
                )
            if _PYTHON.search(step.run) and step.directory.replace(" ", "") != "${{runner.temp}}":
                yield error_check(
                    "install",
                    f"the job {job.name} starts Python in the checkout",
                    "Python imports from its working directory: a `venv.py` of a pull request would run.",
                    "Give the step `working-directory: ${{ runner.temp }}`, and Python the option -I; "
                    "`infra init --force` writes it so.",
                    file=workflow.file,
                    line=step.run_line,
                )


def check_terraform(
    workflows: Iterable[Workflow], install: Install, version: str | None
) -> Iterator[ForgeCheck]:
    """Compares how infra's own workflows get Terraform with `terraform.install`, and the version that they
    set up with the one that the repository names."""
    for workflow in workflows:
        if not posixpath.basename(workflow.file).startswith(_OWN):
            continue
        for job in workflow.jobs:
            setups = [step for step in job.steps if step.uses.startswith(_SETUPS)]
            is_missing = install == "setup" and not setups and _TERRAFORM.search(job.commands)
            if is_missing or (setups and install != "setup"):
                sets_up = "sets Terraform up" if setups else "sets no Terraform up"
                yield warning_check(
                    "terraform",
                    f"the job {job.name} {sets_up}, and `terraform.install` is {install}",
                    "The jobs would run another Terraform than infra.yaml says.",
                    "`infra init --force` writes the workflows again.",
                    file=workflow.file,
                    line=job.line,
                )
            for step in setups:
                set_up = step.inputs.get("terraform_version") or step.inputs.get("tofu_version")
                if version and set_up != version:
                    words = f"sets up {set_up or 'the newest version'}, the repository names {version}"
                    yield warning_check(
                        "terraform",
                        f"the job {job.name} {words}",
                        "A plan there would come from another version than on your machine.",
                        "`infra init --force` writes the workflows again.",
                        file=workflow.file,
                        line=step.line,
                    )


def check_runs(workflow: Workflow) -> Iterator[ForgeCheck]:
    """Checks how Terraform and infra are run."""
    for job in workflow.jobs:
        for step in job.steps:
            yield from _step(workflow, step)
        if _ROLLS_OUT.search(job.commands):
            yield from _applying(workflow, job)
        yield from _hears_cancel(workflow, job)


def _step(workflow: Workflow, step: WorkflowStep) -> Iterator[ForgeCheck]:
    if (
        step.uses.startswith("hashicorp/setup-terraform@")
        and step.inputs.get("terraform_wrapper", "").lower() != "false"
    ):
        yield warning_check(
            "wrapper",
            "setup-terraform puts its wrapper before Terraform",
            "The wrapper has lost exit codes and signals; infra passes it by, other steps do not.",
            "Give the step `with: {terraform_wrapper: false}`.",
            file=workflow.file,
            line=step.line,
        )
    if step.uses.startswith("google-github-actions/auth@") and "credentials_json" in step.inputs:
        yield error_check(
            "keys",
            "it signs in with a stored key",
            "A key that is kept can be stolen, and is good for every branch and for years.",
            "Use workload_identity_provider and service_account; `infra bootstrap` makes both.",
            file=workflow.file,
            line=step.line,
        )
    if (
        step.uses.startswith("actions/checkout@")
        and step.inputs.get("persist-credentials", "").lower() != "false"
    ):
        yield warning_check(
            "checkout",
            "the checkout leaves the token in .git/config",
            "Every later step can read it there, Terraform's providers included.",
            "Give the step `with: {persist-credentials: false}`.",
            file=workflow.file,
            line=step.line,
        )


_QUEUE = "concurrency: {group: infra-apply-ENV, cancel-in-progress: false, queue: max}"


def _applying(workflow: Workflow, job: WorkflowJob) -> Iterator[ForgeCheck]:
    """Checks a job that applies: only it queues, is never dropped, and receives a cancel signal."""
    if workflow.concurrency is not None:
        yield error_check(
            "concurrency",
            "the whole workflow has a concurrency group",
            "A run that waits at a gate keeps the group: later merges wait in every environment until "
            "somebody answers.",
            f"Take it away, and give it to the job {job.name} alone: {_QUEUE}",
            file=workflow.file,
            line=job.line,
        )
    group = job.concurrency
    if workflow.concurrency is None and not (isinstance(group, dict) and group.get("queue") == "max"):
        yield error_check(
            "concurrency",
            f"the job {job.name} applies, and such jobs do not queue",
            "Of several merges GitHub keeps one waiting job and drops the others, or runs two at once.",
            _QUEUE,
            file=workflow.file,
            line=job.line,
        )
    if any(_cancels(value) for value in (workflow.concurrency, group)):
        yield error_check(
            "concurrency",
            f"the job {job.name} applies, and a newer run cancels it",
            "An apply that is interrupted leaves a stack half changed.",
            _QUEUE,
            file=workflow.file,
            line=job.line,
        )


def _hears_cancel(workflow: Workflow, job: WorkflowJob) -> Iterator[ForgeCheck]:
    """Checks that steps that apply are started with `exec`."""
    for step in job.steps:
        match = _APPLIES.search(step.run)
        if match and not re.search(r"\bexec (?:env .*)?infra (?:ci )?apply\b", step.run):
            yield warning_check(
                "cancel",
                "infra is not started with `exec`",
                "A cancelled job signals the step's own process and no other: infra would not hear it.",
                f"run: exec {match[0]} …",
                file=workflow.file,
                line=step.line,
            )


def _cancels(concurrency: Any) -> bool:
    return (
        isinstance(concurrency, dict)
        and str(concurrency.get("cancel-in-progress", "false")).lower() != "false"
    )
