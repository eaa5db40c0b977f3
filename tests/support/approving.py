"""A project on GitHub whose plans are posted, reviewed and merged, and the judge of what may be applied.

    with Approving(tmp_path) as approving:
        number = approving.change("prod/app", "two")
        approving.post(number, digest)
        approving.github.review(number, "bert")
        approving.github.merge(number, "squash")
        assert approving.judge(digest).kind == "approved"

Plan objects lie in a folder of this machine, as a project with local states has them.
`ApprovingInMemory` does the same without a server.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, cast

from orchestrator.engine.digests import locate_plan_objects
from orchestrator.engine.ports import SilentProgress
from orchestrator.engine.session import Session, open_session
from orchestrator.forge.github import open_github
from orchestrator.forge.interface import TEAMS_TOKEN, Forge
from orchestrator.plan.digest import Digest, encode, sha256
from orchestrator.repository.loading import load, load_commit
from orchestrator.review.approvals import Approvals, Verdict
from orchestrator.state.attestations import Attestation, Attestations
from orchestrator.state.folder import Folder
from orchestrator.state.plan_objects import PlanObjects
from orchestrator.state.records import LedgerEntry
from tests.support.github import ServedGitHub
from tests.support.memory_host import MemoryHost
from tests.support.memory_storage import MemoryStorage
from tests.support.repo import Repo
from tests.support.sessions import session_in_memory

NET = """
resource "terraform_data" "n" { input = "one" }
output "x" { value = terraform_data.n.output }
"""

APP = """
data "terraform_remote_state" "net" {
  backend = "local"
  config  = { path = "../net/terraform.tfstate" }
}
resource "terraform_data" "plain" { input = "one" }
resource "terraform_data" "reader" { input = data.terraform_remote_state.net.outputs.x }
"""

CONFIG = "version: 1\nenvironments:\n  prod: {protected: true}\n"

FILES = {
    "infra.yaml": CONFIG,
    "README.md": "A project.\n",
    "infra/envs/prod/net/main.tf": NET,
    "infra/envs/prod/app/main.tf": APP,
}


Github = TypeVar("Github", ServedGitHub, MemoryHost)


class Reviewed(ABC, Generic[Github]):
    """What is the same on a server and in memory: `below` is the folder of the project in the repository.

    `github` has the verbs of people, `host` is what infra asks, `job` the clone in which a job works, and
    `applied` the commit that was applied last: the first one.
    """

    github: Github
    host: Forge
    job: Repo
    applied: str
    session: Session

    def __init__(self, folder: Path, below: str = "") -> None:
        self.below = below
        self.env = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
        self.folder = folder
        self._runs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, *rest: Any) -> None:
        return None

    @abstractmethod
    def update(self) -> None:
        """Bring the job's clone to trunk as it is now."""

    def change(self, stack: str, value: str, branch: str = "", author: str = "ada", **files: str) -> int:
        """Open a pull request that gives a stack's resource another value; its number."""
        path = f"{self.below}infra/envs/{stack}/main.tf"
        text = (NET if stack.endswith("net") else APP).replace('"one"', f'"{value}"', 1)
        branch = branch or f"change-{value}"
        self.github.commit(branch, {path: text, **files}, f"Make it {value}")
        return self.github.open(branch, author=author)

    def post(
        self,
        number: int,
        *digests: Digest,
        run: str = "",
        problem: str = "",
    ) -> Attestation:
        """What the plan job writes and the job that attests, for the pull request's head as it is."""
        self._runs += 1
        run, head, plans = run or f"{self._runs}-1", self.github.head(number), {}
        for digest in digests:
            data = encode(digest)
            self.objects(digest.stack).create(number, head, digest.stack, run, data)
            plans[digest.stack] = sha256(data)
        return self.attest(number, Attestation(number, head, run, run, plans, problem))

    def attest(self, number: int, attestation: Attestation) -> Attestation:
        """Write an attestation at GitHub's time, since the two are compared."""
        objects = self.objects()
        assert isinstance(objects.storage, Folder)
        Attestations(Folder(objects.storage.root, self.github.clock), objects.base).create(attestation)
        return attestation

    def objects(self, stack: str = "prod/app") -> PlanObjects:
        """Where plan objects lie."""
        return locate_plan_objects(self.session.memory.ledgers, self.session.context.project.stacks[stack])

    def approved(self, stack: str, value: str, *digests: Digest, method: str = "squash", **more: Any) -> int:
        """A pull request that was planned, approved by bert, and merged; its number."""
        number = self.change(stack, value, **more)
        self.post(number, *digests)
        self.github.review(number, "bert")
        self.github.merge(number, method)
        return number

    def entry(self, stack: str = "prod/app", commit: str = "") -> LedgerEntry:
        """What the ledger knows of a stack: applied at a commit."""
        project = load_commit(self.session.context.project, commit or self.applied)
        return LedgerEntry(stack, commit=commit or self.applied, fingerprint=project.fingerprint(stack))

    def check_plan(self, now: Digest, before: LedgerEntry | str | None = "", **more: Any) -> Verdict:
        """What a job on trunk says of a plan now; by default of a stack applied at the first commit."""
        self.update()
        stack = self.session.context.project.stacks[now.stack]
        entry = self.entry(now.stack, before) if isinstance(before, str) else before
        return Approvals(self.session, self.host).compare(stack, now, entry, **more)

    def _session(self) -> Session:
        return open_session(load(self.job.root / self.below), self.env, SilentProgress())


class Approving(Reviewed[ServedGitHub]):
    """The server, and a clone of its repository."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None, below: str = "") -> None:
        super().__init__(folder, below)
        self.github = ServedGitHub(
            folder, files={below + name: text for name, text in (files or FILES).items()}
        )

    def __enter__(self) -> Self:
        self.github.__enter__()
        self.job = self.github.clone(self.folder / "job")
        self.applied = self.job.head
        self._token = self.github.token(checks="write", pull_requests="read", contents="read")
        self.host = self._opened = open_github(self.github.environ(self._token, "push"))
        self.session = self._session()
        return self

    def __exit__(self, kind: Any, *rest: Any) -> None:
        self._opened.close()
        self.github.__exit__(kind, *rest)

    @contextmanager
    def with_teams(self) -> Iterator[None]:
        """The job has a token that may read the organization's members too."""
        token = self.github.token("teams[bot]", members="read")
        opened = open_github({**self.github.environ(self._token, "push"), TEAMS_TOKEN: token})
        self.host = opened
        try:
            yield
        finally:
            opened.close()
            self.host = self._opened

    def update(self) -> None:
        """Bring the job's clone to trunk as it is now."""
        self.job.git("fetch", "-q", "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*")
        self.job.git("reset", "-q", "--hard", "origin/main")
        self.session = self.session.with_project(load(self.job.root / self.below))


class ApprovingInMemory(Reviewed[MemoryHost]):
    """A host in memory, and one repository that holds trunk and all branches."""

    def __init__(self, folder: Path, files: Mapping[str, str] | None = None, below: str = "") -> None:
        super().__init__(folder, below)
        layout = {below + name: text for name, text in (files or FILES).items()}
        self.job = Repo(folder / "job", layout)
        self.github = MemoryHost(self.job)
        self.host = cast(Forge, self.github)
        self.applied = self.job.head
        self.update()

    def update(self) -> None:
        """Read trunk as it is now."""
        self.github.go_to("main")
        self.session = session_in_memory(load(self.job.root / self.below), MemoryStorage(), self.env)
