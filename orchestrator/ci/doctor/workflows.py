"""What a repository's workflows must not do, and what those of infra must."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from orchestrator.ci.doctor.check import GitHubCheck, doubtful, fine, wrong
from orchestrator.ci.doctor.workflow_files import FOLDER, Job, Step, Workflow
from orchestrator.ci.workflows import drift_workflow, plan_workflow

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
    r"\binfra (?:ci (?:plan|compare|apply|settle)|plan|apply|destroy|drift)\b|\bterraform "
)
_INFRA = re.compile(r"(?<![\w./-])infra (?:ci|affected|plan|apply|destroy|drift|guard|unlock|resume)\b")
_INSTALLS = re.compile(r"\b(?:pip3?|pipx|uv)\b[^\n]*\binstall\b|\buvx\b")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
_PYTHON = re.compile(r"(?:^|[\s/])python[\d.]*\"? (?!-I\b)\S", re.MULTILINE)
_APPLIES = re.compile(r"\binfra (?:ci )?apply\b")
# An apply of reviewed changes; what reverts drift is kept apart by the ledger's claims alone.
_ROLLS_OUT = re.compile(r"\binfra (?:ci )?apply\b(?!.*--drift)")
_WRITES = ("checks", "statuses", "pull-requests", "contents", "issues", "deployments")


def workflows(
    found: Iterable[Workflow], repository: str, environments: Sequence[str] = ()
) -> Iterator[GitHubCheck]:
    """Every check of every workflow; `repository` is `OWNER/NAME`, empty when it is not known.

    `environments` are those that must have workflows of their own.
    """
    files = list(found)
    bad = [*missing(files, environments), *outdated(files)]
    for one in files:
        if one.problem:
            bad.append(
                doubtful(
                    "workflow",
                    one.problem,
                    "What cannot be read cannot be checked, and GitHub does not run it.",
                    "Correct the file.",
                    file=one.file,
                )
            )
            continue
        bad += [
            *rights(one),
            *pins(one, repository),
            *privileged(one),
            *injections(one),
            *runs(one),
            *installs(one),
        ]
    yield from bad
    if not bad:
        yield fine("workflows", f"{len(files)} files, nothing to say")


def missing(found: Iterable[Workflow], environments: Sequence[str]) -> Iterator[GitHubCheck]:
    """Whether the workflows that plan, attest and apply are there, and those of each environment."""
    names = {one.name for one in found}
    lacking = [name for name in OURS if name not in names]
    own = [plan_workflow(name) for name in environments]
    if "infra-drift.yml" in names:
        own += [drift_workflow(name) for name in environments]
    lacking += [name for name in own if name not in names]
    if lacking:
        yield doubtful(
            "workflows",
            f"there is no {', '.join(lacking)} in {FOLDER}",
            "Nothing plans pull requests, or applies what is merged. Each environment has a plan and a drift "
            "workflow of its own, which is what its accounts trust.",
            "`infra init` writes them.",
        )


def outdated(found: Iterable[Workflow]) -> Iterator[GitHubCheck]:
    """Workflows of an infra whose plans were approved by checks: nothing that they do counts any more."""
    for one in found:
        calls_attest = any(ATTEST in job.uses for job in one.jobs)
        if one.name == OLD or (one.name == "infra-plan.yml" and not one.problem and not calls_attest):
            yield wrong(
                "workflows",
                "it is of an earlier infra, and attests no plan" if one.name != OLD else "nothing calls it",
                "Only plans that infra-attest attested count as approved, and no account trusts this file.",
                "`infra init --force` writes the workflows of this version; then delete infra-plan-run.yml.",
                file=one.file,
            )


def rights(one: Workflow) -> Iterator[GitHubCheck]:
    """Least rights: none at the top, and no job that both runs Terraform and may write to GitHub."""
    silent = [job for job in one.jobs if job.permissions is None]
    if one.permissions != {} and (one.permissions is not None or silent):
        given = "nothing" if one.permissions is None else "more than nothing"
        yield doubtful(
            "permissions",
            f"it says {given} at its top",
            "A job that says nothing then has rights that nobody thought about.",
            "Write `permissions: {}` at the top, and what each job needs in the job.",
            file=one.file,
        )
    for job in one.jobs:
        both = [what for what in _WRITES if job.may(what, "write")]
        if both and _TERRAFORM.search(job.commands):
            yield wrong(
                "permissions",
                f"the job {job.name} runs Terraform and may write {', '.join(both)}",
                "Code in a plan (a provider, a data source) could post the check that approves it.",
                "Let one job run Terraform and upload its report, and another one post it.",
                file=one.file,
                line=job.line,
            )


def pins(one: Workflow, repository: str) -> Iterator[GitHubCheck]:
    """Actions by commit, and the plan workflow at trunk."""
    for uses, line in _used(one):
        if uses.startswith("./"):
            if "pull_request" in one.events and _CALLED.search(uses):
                yield wrong(
                    "plan workflow",
                    f"it calls {uses}",
                    "That is the pull request's own copy, which can be changed; Google trusts trunk's alone.",
                    f"uses: {repository or 'OWNER/REPO'}/{FOLDER}/{uses.rpartition('/')[2]}@TRUNK",
                    file=one.file,
                    line=line,
                )
        elif not _is_pinned(uses, repository):
            yield wrong(
                "pins",
                f"{uses} is not pinned",
                "A tag or branch can be moved to other code, which runs with the job's rights.",
                "Name the commit: `uses: OWNER/ACTION@40-digit-commit # v1.2.3`. To enforce it: Settings → "
                "Actions → General → Require actions to be pinned to a full-length commit SHA.",
                file=one.file,
                line=line,
            )


def _used(one: Workflow) -> Iterator[tuple[str, int]]:
    for job in one.jobs:
        if job.uses:
            yield job.uses, job.uses_line
        yield from ((step.uses, step.line) for step in job.steps if step.uses)


def _is_pinned(uses: str, repository: str) -> bool:
    if uses.startswith("docker://"):
        return bool(_DIGEST.search(uses))
    path = uses.partition("@")[0]
    folder = f"{repository or '[^/]+/[^/]+'}/{FOLDER}"
    ours = _CALLED.search(path) and re.fullmatch(folder, path.rpartition("/")[0], re.IGNORECASE)
    return bool(ours) or bool(_PINNED.search(uses))


def privileged(one: Workflow) -> Iterator[GitHubCheck]:
    """Whether a stranger's code is checked out where the repository's rights are."""
    events = sorted(one.events & _PRIVILEGED)
    for job in one.jobs if events else ():
        for step in job.steps:
            if step.uses.startswith("actions/checkout@") and _HEAD.search(step.given.get("ref", "")):
                yield wrong(
                    "checkout",
                    f"on {', '.join(events)} it checks out the head of a pull request",
                    "The workflow has the repository's rights and secrets; the code in it is anybody's.",
                    "Use `on: pull_request`, or leave `ref` out and read nothing of the head.",
                    file=one.file,
                    line=step.line,
                )
    if "pull_request_target" in one.events and any(_TERRAFORM.search(job.commands) for job in one.jobs):
        yield wrong(
            "checkout",
            "it runs Terraform on pull_request_target",
            "A fork's pull request would get this repository's accounts.",
            "Use `on: pull_request`: forks get nothing then.",
            file=one.file,
        )


def injections(one: Workflow) -> Iterator[GitHubCheck]:
    """Text that others write, put into a script before the shell reads it."""
    for job in one.jobs:
        for step in job.steps:
            for script, start in _scripts(step):
                yield from _injected(one, script, start)


def _scripts(step: Step) -> Iterator[tuple[str, int]]:
    if step.run:
        yield step.run, step.run_line
    if step.uses.startswith("actions/github-script@") and "script" in step.given:
        yield step.given["script"], step.given_lines["script"] + 1


def _injected(one: Workflow, script: str, start: int) -> Iterator[GitHubCheck]:
    for match in _EXPRESSION.finditer(script):
        if _TEXT.search(_SAFE.sub("", match[1])):
            yield wrong(
                "injection",
                f"`${{{{ {match[1].strip()} }}}}` stands in a script",
                "A title, a branch's name or a comment can hold a command, which the shell then runs.",
                'Put it into `env:` of the step, and write "$NAME" in the script.',
                file=one.file,
                line=start + script[: match.start()].count("\n"),
            )


def installs(one: Workflow) -> Iterator[GitHubCheck]:
    """How jobs that run infra install it: pinned in the workflow, by a Python that reads no checkout."""
    for job in one.jobs if not one.problem else ():
        for step in job.steps if _INFRA.search(job.commands) else ():
            if _INSTALLS.search(step.run) and not _HASH.search(step.run):
                yield wrong(
                    "install",
                    f"the job {job.name} installs infra, and pins nothing by hash",
                    "Whoever releases a dependency, or registers the package's name first, runs code with "
                    "the job's rights; pins in a file of the checkout are the pull request's to change.",
                    "`infra init --force` writes the step with its pins.",
                    file=one.file,
                    line=step.run_line,
                )
            if _PYTHON.search(step.run) and step.directory.replace(" ", "") != "${{runner.temp}}":
                yield wrong(
                    "install",
                    f"the job {job.name} starts Python in the checkout",
                    "Python imports from its working directory: a `venv.py` of a pull request would run.",
                    "Give the step `working-directory: ${{ runner.temp }}`, and Python the option -I; "
                    "`infra init --force` writes it so.",
                    file=one.file,
                    line=step.run_line,
                )


def runs(one: Workflow) -> Iterator[GitHubCheck]:
    """How Terraform and infra are run."""
    for job in one.jobs:
        for step in job.steps:
            yield from _step(one, step)
        if _ROLLS_OUT.search(job.commands):
            yield from _applying(one, job)
        yield from _hears_cancel(one, job)


def _step(one: Workflow, step: Step) -> Iterator[GitHubCheck]:
    if (
        step.uses.startswith("hashicorp/setup-terraform@")
        and step.given.get("terraform_wrapper", "").lower() != "false"
    ):
        yield doubtful(
            "wrapper",
            "setup-terraform puts its wrapper before Terraform",
            "The wrapper has lost exit codes and signals; infra passes it by, other steps do not.",
            "Give the step `with: {terraform_wrapper: false}`.",
            file=one.file,
            line=step.line,
        )
    if step.uses.startswith("google-github-actions/auth@") and "credentials_json" in step.given:
        yield wrong(
            "keys",
            "it signs in with a stored key",
            "A key that is kept can be stolen, and is good for every branch and for years.",
            "Use workload_identity_provider and service_account; `infra bootstrap` makes both.",
            file=one.file,
            line=step.line,
        )
    if (
        step.uses.startswith("actions/checkout@")
        and step.given.get("persist-credentials", "").lower() != "false"
    ):
        yield doubtful(
            "checkout",
            "the checkout leaves the token in .git/config",
            "Every later step can read it there, Terraform's providers included.",
            "Give the step `with: {persist-credentials: false}`.",
            file=one.file,
            line=step.line,
        )


_QUEUE = "concurrency: {group: infra-apply-ENV, cancel-in-progress: false, queue: max}"


def _applying(one: Workflow, job: Job) -> Iterator[GitHubCheck]:
    """A job that applies: it alone waits for its turn, is never thrown away, and hears a cancel."""
    if one.concurrency is not None:
        yield wrong(
            "concurrency",
            "the whole workflow has a concurrency group",
            "A run that waits at a gate keeps the group: later merges wait in every environment until "
            "somebody answers.",
            f"Take it away, and give it to the job {job.name} alone: {_QUEUE}",
            file=one.file,
            line=job.line,
        )
    group = job.concurrency
    if one.concurrency is None and not (isinstance(group, dict) and group.get("queue") == "max"):
        yield wrong(
            "concurrency",
            f"the job {job.name} applies, and such jobs do not queue",
            "Of several merges GitHub keeps one waiting job and drops the others, or runs two at once.",
            _QUEUE,
            file=one.file,
            line=job.line,
        )
    if any(_cancels(value) for value in (one.concurrency, group)):
        yield wrong(
            "concurrency",
            f"the job {job.name} applies, and a newer run cancels it",
            "An apply that is cut off leaves a stack half changed.",
            _QUEUE,
            file=one.file,
            line=job.line,
        )


def _hears_cancel(one: Workflow, job: Job) -> Iterator[GitHubCheck]:
    """Steps that apply are started with `exec`."""
    for step in job.steps:
        found = _APPLIES.search(step.run)
        if found and not re.search(r"\bexec (?:env .*)?infra (?:ci )?apply\b", step.run):
            yield doubtful(
                "cancel",
                "infra is not started with `exec`",
                "A cancelled job signals the step's own process and no other: infra would not hear it.",
                f"run: exec {found[0]} …",
                file=one.file,
                line=step.line,
            )


def _cancels(concurrency: Any) -> bool:
    return (
        isinstance(concurrency, dict)
        and str(concurrency.get("cancel-in-progress", "false")).lower() != "false"
    )
