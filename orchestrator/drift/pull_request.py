"""Opens pull requests that write drifted values into the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from orchestrator.drift.model import DriftedAttribute
from orchestrator.drift.remediation_choice import WRITABLE, Remediation
from orchestrator.drift.text import format_attribute
from orchestrator.errors import ForgeError, GitError
from orchestrator.forge.interface import Forge
from orchestrator.forge.model import PullRequest
from orchestrator.forge.outbox import Outbox
from orchestrator.masking import HIDDEN
from orchestrator.report.escape import code, text
from orchestrator.repository.git import Repository
from orchestrator.repository.loading import load_commit
from orchestrator.repository.model import Project
from orchestrator.repository.rewriting import RewriteError, Rewriter

BRANCH = "drift"
_UNSAFE = re.compile(r"[^A-Za-z0-9._/-]+|\.{2,}|/{2,}|(?<=/)\.|\.lock(?=/|$)")


@dataclass(frozen=True)
class WrittenValue:
    """One value that is written into the code, with a description for people."""

    address: str
    words: str


@dataclass(frozen=True)
class UnwrittenValue:
    """One value that cannot be written into the code, with a description for people, and why."""

    address: str
    words: str
    why: str


@dataclass(frozen=True)
class PullRequestDraft:
    """A pull request to open: file contents by path in the repository, and what is not written.

    Without `files` it begins with an empty commit, and a person writes the values.
    """

    remediation: Remediation
    trunk: str
    commit: str
    files: dict[str, bytes]
    changes: tuple[WrittenValue, ...]
    unwritten: tuple[UnwrittenValue, ...]

    @property
    def branch(self) -> str:
        """`drift/STACK/DIGEST`: one for each way in which a stack drifts."""
        name = _UNSAFE.sub("-", self.remediation.stack).strip("-./")
        return f"{BRANCH}/{name}/{self.remediation.digest[:10] or 'now'}"

    @property
    def title(self) -> str:
        """The title of the pull request."""
        return f"Keep what was changed outside in {self.remediation.stack}"

    @property
    def body(self) -> str:
        """The body in Markdown: what is written, what is not and why."""
        stack = code(self.remediation.stack)
        lines = [f"Somebody changed this in {stack} outside of Terraform. " + self._next_step]
        if self.changes:
            lines += ["", *(f"- {code(change.address)} {text(change.words)}" for change in self.changes)]
        if self.unwritten:
            lines += ["", "Not written, for a person to do:", ""]
            lines += [
                f"- {code(value.address)} {text(value.words)}: {text(value.why)}" for value in self.unwritten
            ]
        return "\n".join(lines) + "\n"

    @property
    def _next_step(self) -> str:
        """What to do with the pull request."""
        otherwise = "close it, and the next apply puts it back."
        if self.files:
            return f"This writes it into the code. Merge it to keep it as it is now; {otherwise}"
        return (
            f"It cannot be written into the code automatically, so the branch {code(self.branch)} holds an "
            f"empty commit. Push the values there and merge it to keep them; {otherwise}"
        )


def _draft_pull_request(project: Project, remediation: Remediation) -> PullRequestDraft:
    """Draft the change against trunk's newest local commit. Writes nothing."""
    repository = project.repository
    trunk = project.trunk_branch
    commit = repository.resolve(repository.trunk(project.config.trunk))
    at = load_commit(project, commit)
    rewriter = Rewriter(at.tree)
    stack = at.stacks.get(remediation.stack)
    changes: list[WrittenValue] = []
    unwritten: list[UnwrittenValue] = []
    for resource in remediation.resources:
        for attribute in resource.loud:
            try:
                if stack is None:
                    raise RewriteError("trunk no longer has the stack")
                _check(attribute)
                rewriter.set(
                    stack.path,
                    stack.var_files,
                    resource.address,
                    attribute.path,
                    attribute.planned,
                    attribute.after,
                )
            except RewriteError as error:
                words = format_attribute(attribute)
                unwritten.append(UnwrittenValue(resource.address, words, str(error)))
            else:
                changes.append(WrittenValue(resource.address, format_attribute(attribute)))
    files = {f"{repository.prefix}{path}": data for path, data in rewriter.files.items()}
    return PullRequestDraft(remediation, trunk, commit, files, tuple(changes), tuple(unwritten))


def _check(attribute: DriftedAttribute) -> None:
    if attribute.category not in WRITABLE:
        raise RewriteError(f"it is {attribute.category}: there is no value in the code to write")
    if attribute.sensitive or HIDDEN in repr(attribute.after):
        raise RewriteError("it is sensitive")


def open_pull_requests(
    project: Project, forge: Forge, remediations: Iterable[Remediation], outbox: Outbox
) -> list[str]:
    """Open a pull request for each remediation with the action `pr`. Returns a line about each."""
    remediations = [remediation for remediation in remediations if remediation.action == "pr"]
    if not remediations:
        return []
    already_open = outbox.send("The pull requests", lambda: forge.open_pull_requests(project.trunk_branch))
    if already_open is None:
        return []
    outcomes = []
    for remediation in remediations:
        ready = _draft_pull_request(project, remediation)
        words = outbox.send(ready.title, partial(_open_pull_request, project, forge, ready, already_open))
        outcomes += [f"{remediation.stack}: {words}"] if words else []
    return outcomes


def _is_at_origin(repository: Repository, branch: str) -> bool:
    """Whether the branch exists on the remote: the pull request was closed by a person."""
    try:
        repository.fetch(branch)
    except GitError:
        return False
    return True


def _open_pull_request(
    project: Project, forge: Forge, ready: PullRequestDraft, pull_requests: Sequence[PullRequest]
) -> str:
    pull_request = next(
        (pull_request for pull_request in pull_requests if pull_request.head_ref == ready.branch), None
    )
    if pull_request:
        return f"#{pull_request.number} is open: {pull_request.url}"
    repository = project.repository
    if _is_at_origin(repository, ready.branch):
        return f"somebody closed the pull request of {ready.branch}; delete the branch to be asked again"
    try:
        repository.push(repository.changed_commit(ready.commit, ready.files, ready.title), ready.branch)
    except GitError as error:
        raise ForgeError(
            f"{ready.branch} cannot be pushed: {error.message}",
            advice="It takes the right to push, and credentials that git finds.",
        ) from None
    created = forge.create_pull_request(ready.title, ready.body, ready.branch, ready.trunk)
    does = "writes it into the code" if ready.files else "describes what a person has to write into the code"
    return f"#{created.number} {does}: {created.url}"
