"""A pull request of somebody's own repository, from a throw-away clone to the last environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import SandboxError, UsageError
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.report import markers
from orchestrator.sandbox import control
from orchestrator.sandbox.demo.pull_requests import (
    approve_pull,
    check_out,
    find_comment,
    open_pull,
)
from orchestrator.sandbox.demo.stage import DemoJob, Stage

BRANCH = "rehearsal"
MESSAGE = "What is in the working tree"
ALLOW_DESTROY = "allow-destroy"
_GIT_DEADLINE = 300.0


@dataclass(frozen=True)
class RehearsalCommits:
    """Trunk's name and commit, and the commit to propose."""

    trunk: str
    base: str
    head: str


class RehearsalClone:
    """A clone that shares nothing but objects with its source, which is never written to.

    `source` is the top of the repository, `target` a new folder, `environ` what git runs with.
    """

    def __init__(
        self, source: Path, target: Path, environ: Mapping[str, str], supervisor: Supervisor
    ) -> None:
        self.source = source
        self.target = target
        self._environ = environ
        self._supervisor = supervisor

    def make(self, trunk: tuple[str, str], branch: str | None) -> RehearsalCommits:
        """Clone, commit what the working tree holds (or take a branch), and check trunk out.

        `trunk` is its name and its revision in the source. UsageError where nothing differs from trunk.
        """
        name, revision = trunk
        base = self._git("rev-parse", "--verify", f"{revision}^{{commit}}", cwd=self.source)
        self._git("clone", "--quiet", "--shared", "--no-checkout", str(self.source), str(self.target))
        head = self._commit_of(branch) if branch else self._commit_of_working_tree()
        if self._tree(head) == self._tree(base):
            raise UsageError(
                f"Nothing differs from {name}: there is no change to rehearse.",
                advice="Change a file, or name a branch: `infra sandbox rehearse --pull-request BRANCH`.",
            )
        self._git("checkout", "--quiet", "-B", name, base, cwd=self.target)
        self._git("branch", "--force", BRANCH, head, cwd=self.target)
        return RehearsalCommits(name, base, head)

    def set_origin(self, url: str) -> None:
        """Let origin be the sandbox's GitHub, and forget what the source's clone knew of its own."""
        refs = self._git("for-each-ref", "--format=%(refname)", "refs/remotes", cwd=self.target).split()
        for ref in refs:
            self._git("update-ref", "-d", ref, cwd=self.target)
        self._git("remote", "set-url", "origin", url, cwd=self.target)

    def _commit_of(self, branch: str) -> str:
        for ref in (f"refs/heads/{branch}", f"refs/remotes/origin/{branch}", branch):
            done = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", cwd=self.source)
            if done.ok:
                return done.text.strip()
        raise UsageError(f"There is no branch {branch!r}.", advice="Name a branch of this repository.")

    def _commit_of_working_tree(self) -> str:
        """The source's HEAD, or a commit on it with what the working tree holds besides."""
        head = self._git("rev-parse", "--verify", "HEAD", cwd=self.source)
        git = self.target / ".git"
        files = {
            **self._environ,
            "GIT_DIR": str(git),
            "GIT_WORK_TREE": str(self.source),
            # An index of its own: the clone's describes the clone's own files.
            "GIT_INDEX_FILE": str(git / "rehearsal-index"),
        }
        self._git("read-tree", head, cwd=self.source, environ=files)
        self._git("add", "--all", cwd=self.source, environ=files)
        tree = self._git("write-tree", cwd=self.source, environ=files)
        if tree == self._tree(head):
            return head
        return self._git("commit-tree", tree, "-p", head, "-m", MESSAGE, cwd=self.target)

    def _tree(self, commit: str) -> str:
        return self._git("rev-parse", f"{commit}^{{tree}}", cwd=self.target)

    def _git(self, *arguments: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
        done = self._run(*arguments, cwd=cwd, environ=environ)
        if not done.ok:
            raise SandboxError(f"git {arguments[0]} failed: {done.error_text.strip()}")
        return done.text.strip()

    def _run(
        self, *arguments: str, cwd: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> Completed:
        command = Command(
            ("git", *arguments), cwd or self.source, environ or self._environ, deadline=_GIT_DEADLINE
        )
        return self._supervisor.run(command)


@dataclass(frozen=True)
class RehearsalOptions:
    """`environments` are trunk's after the merge, in promotion order; `is_new` where trunk has no stacks."""

    environments: Sequence[str]
    is_new: bool
    allow_destroy: bool


def rehearse(stage: Stage, commits: RehearsalCommits, options: RehearsalOptions) -> int:
    """Apply trunk, propose the change, plan, approve, merge and apply it everywhere; the number of the pull
    request. Raises SandboxError at the first step that fails."""
    if not options.is_new:
        stage.narrator.chapter("Trunk as it is")
        confirmed = [word for name in options.environments for word in ("--confirm", name)]
        arguments = ("--all", "--auto-approve", "--allow-destroy", "--adopt", *confirmed)
        stage.infra("apply", *arguments, "--break-glass", "The rehearsal begins with trunk applied.")
    stage.narrator.chapter("The pull request")
    stage.git("switch", "--quiet", BRANCH, visible=False)
    # The change may need buckets, accounts and types of its own.
    stage.info = stage.prepare()
    number = open_pull(stage, BRANCH)
    _plan(stage, number)
    approve_pull(stage, number)
    if options.allow_destroy:
        control.call_github(
            stage.info,
            "label",
            repository=stage.info.repository,
            number=number,
            by="bert",
            name=ALLOW_DESTROY,
        )
    stage.narrator.chapter("The merge")
    stage.infra("sandbox", "github", "merge", str(number), "--method", "squash")
    check_out(stage, commits.trunk)
    run = stage.start_jobs("push")
    for name in options.environments:
        stage.infra("ci", "apply", name, job=DemoJob(run))
    return number


def _plan(stage: Stage, number: int) -> None:
    """Plan as the workflow would, in one job with all rights: the accounts of a new environment have no keys
    before a bootstrap."""
    check_out(stage, f"refs/pull/{number}/merge")
    stage.infra("ci", "plan", job=DemoJob(stage.start_jobs(f"pull_request:{number}")))
    stage.narrator.page(f"Pull request #{number}", find_comment(stage, number, markers.PLAN))
