"""A pull request that writes into the code what the world says: what drifted is then what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.ci.posting import Outbox
from orchestrator.errors import GitError, HostError
from orchestrator.hosts.model import PullRequest
from orchestrator.hosts.port import Host
from orchestrator.masking import HIDDEN
from orchestrator.plan.drift_model import DriftedAttribute, DriftedResource
from orchestrator.project import load_commit
from orchestrator.project.git import Repository
from orchestrator.project.model import Project
from orchestrator.project.rewriting import CannotError, Rewriter
from orchestrator.report.drift_words import attribute_words
from orchestrator.report.escape import code, text
from orchestrator.review.pending import trunk_branch
from orchestrator.run.corrections import WRITABLE, Correction, Left

BRANCH = "drift"
_UNSAFE = re.compile(r"[^A-Za-z0-9._/-]+|\.{2,}|/{2,}|(?<=/)\.|\.lock(?=/|$)")


@dataclass(frozen=True)
class Change:
    """One value that is written: of which attribute, in words."""

    address: str
    words: str


@dataclass(frozen=True)
class Draft:
    """A pull request to open: the contents of files from the repository's top, and what is left to people."""

    correction: Correction
    trunk: str
    commit: str
    files: dict[str, bytes]
    changes: tuple[Change, ...]
    left: tuple[Left, ...]

    @property
    def branch(self) -> str:
        """`drift/STACK/DIGEST`: one for each way in which a stack drifts."""
        name = _UNSAFE.sub("-", self.correction.stack).strip("-./")
        return f"{BRANCH}/{name}/{self.correction.digest[:10] or 'now'}"

    @property
    def title(self) -> str:
        """What it is there for."""
        return f"Keep what was changed outside in {self.correction.stack}"

    @property
    def body(self) -> str:
        """What is written, what is not and why; Markdown."""
        lines = [
            f"Somebody changed this in {code(self.correction.stack)} outside of Terraform. This writes it "
            "into the code. Merge it to keep it as it is now; close it, and the next apply puts it back.",
            "",
            *(f"- {code(one.address)} {text(one.words)}" for one in self.changes),
        ]
        if self.left:
            lines += ["", "Not written, for a person to do:", ""]
            lines += [f"- {code(one.address)} {text(one.why)}" for one in self.left]
        return "\n".join(lines) + "\n"


def draft(project: Project, correction: Correction) -> Draft:
    """What trunk's newest commit that is here would have to say. Nothing is written anywhere."""
    repository = project.repository
    trunk = trunk_branch(project)
    commit = repository.resolve(repository.trunk(project.config.trunk))
    at = load_commit(project, commit)
    rewriter = Rewriter(at.tree)
    stack = at.stacks.get(correction.stack)
    changes: list[Change] = []
    left: list[Left] = []
    for resource in correction.resources:
        for one in resource.loud:
            try:
                if stack is None:
                    raise CannotError("trunk no longer has the stack")
                _check(one)
                rewriter.set(stack.path, stack.var_files, resource.address, one.path, one.planned, one.after)
            except CannotError as error:
                left.append(Left(correction.stack, _name(resource, one), str(error)))
            else:
                changes.append(Change(resource.address, attribute_words(one)))
    files = {f"{repository.prefix}{path}": data for path, data in rewriter.files.items()}
    return Draft(correction, trunk, commit, files, tuple(changes), tuple(left))


def _name(resource: DriftedResource, one: DriftedAttribute) -> str:
    return f"{resource.address} {one.path}"


def _check(one: DriftedAttribute) -> None:
    if one.category not in WRITABLE:
        raise CannotError(f"it is {one.category}: there is no value in the code to write anew")
    if one.sensitive or HIDDEN in repr(one.after):
        raise CannotError("it is sensitive")


def open_all(project: Project, host: Host, corrections: Iterable[Correction], outbox: Outbox) -> list[str]:
    """Open what is not open yet, one for each correction by pull request; gives what came of each."""
    wanted = [one for one in corrections if one.action == "pr"]
    if not wanted:
        return []
    known = outbox.send("The pull requests", lambda: host.open_pull_requests(trunk_branch(project)))
    if known is None:
        return []
    told = []
    for one in wanted:
        ready = draft(project, one)
        words = outbox.send(ready.title, lambda ready=ready: _opened(project, host, ready, known))  # type: ignore[misc]
        told += [f"{one.stack}: {words}"] if words else []
    return told


def _is_at_origin(repository: Repository, branch: str) -> bool:
    """Whether the branch is there: it was asked once, and a person said no."""
    try:
        repository.fetch(branch)
    except GitError:
        return False
    return True


def _opened(project: Project, host: Host, ready: Draft, known: Sequence[PullRequest]) -> str:
    there = next((one for one in known if one.head_ref == ready.branch), None)
    if there:
        return f"#{there.number} is open: {there.url}"
    if not ready.files:
        why = "; ".join(one.words for one in ready.left)
        return f"nothing of it can be written into the code: {why}"
    repository = project.repository
    if _is_at_origin(repository, ready.branch):
        return f"somebody closed the pull request of {ready.branch}; delete the branch to be asked again"
    try:
        repository.push(repository.changed_commit(ready.commit, ready.files, ready.title), ready.branch)
    except GitError as error:
        raise HostError(
            f"{ready.branch} cannot be pushed: {error.message}",
            advice="It takes the right to push, and credentials that git finds.",
        ) from None
    made = host.create_pull_request(ready.title, ready.body, ready.branch, ready.trunk)
    return f"#{made.number} writes it into the code: {made.url}"
