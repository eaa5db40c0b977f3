"""A project with its states in a bucket, its repository on GitHub, and jobs that plan pull requests of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.sandbox.needs import RIGHTS, SHARED
from tests.support.cli import Infra
from tests.support.github import ServedGitHub, TestClock
from tests.support.recorded_stack import FILES, RecordedProject, serving
from tests.support.repo import Repo, borrow, read_refs, write_ref
from tests.support.steady import restore_init, restore_versions

WRITE = {"contents": "read", "pull_requests": "write", "checks": "write", "statuses": "write"}
BUCKET = "states"


def account(environment: str, use: str) -> str:
    """An account's name, as a policy has it; the one that attests is the same in each environment."""
    name = use if use == SHARED else f"{environment}-{use}"
    return f"serviceAccount:{name}@p.iam.gserviceaccount.com"


@dataclass
class CiProject:
    """The project, its bucket and the host; `infra` in jobs.

    With `is_init_kept` a job may find what `init` made at its path in an earlier test.
    """

    recorded: RecordedProject
    github: ServedGitHub
    folder: Path
    is_init_kept: bool = True
    _jobs: list[Path] = field(default_factory=list)

    def change(
        self, files: Mapping[str, str | None], branch: str = "feature", title: str = "A change"
    ) -> int:
        """A pull request with one commit; its number."""
        self.github.commit(branch, files, title)
        return self.github.open(branch, title)

    def checkout(self, commit: str) -> Path:
        """A job's own clone, at a commit."""
        folder = self.folder / f"job-{len(self._jobs)}"
        self._jobs.append(folder)
        clone(self.github.bare, folder, commit)
        if self.is_init_kept:
            restore_init(folder)
        else:
            restore_versions(folder)
        return folder

    def job(
        self,
        number: int,
        *,
        environment: str = "",
        rights: Mapping[str, str] = WRITE,
        commit: str = "",
        event: str = "pull_request",
        **more: str,
    ) -> Infra:
        """`infra` in a job for a pull request, as an environment's plan account when one is named.

        `attest` names the account that attests.
        """
        token = self.github.token(**rights) if rights else ""
        env = self.github.environ(token, event, number, **more)
        env["STORAGE_EMULATOR_HOST"] = self.recorded.server.url_of(
            account(environment, SHARED if environment == SHARED else "plan") if environment else None
        )
        env["INFRA_SANDBOX"] = "test"
        if not rights:
            del env["GITHUB_TOKEN"]
        return Infra(self.checkout(commit or env["GITHUB_SHA"]), env)

    def body(self, number: int) -> str:
        """The one comment on a pull request."""
        (comment,) = self.github.comments(number)
        return comment.body

    def conclusions(self, number: int) -> dict[str, str]:
        """The newest check of each name on a pull request's head."""
        return {check.name: check.conclusion or "" for check in self.github.checks(self.github.head(number))}

    def objects(self, prefix: str) -> dict[str, Any]:
        """Objects in the bucket below a prefix, with their generations."""
        listed = self.recorded.server.store.list_objects(BUCKET).items
        return {
            resource["name"]: resource["generation"]
            for resource in listed
            if resource["name"].startswith(prefix)
        }


def clone(origin: Path, folder: Path, commit: str) -> None:
    """A clone of a bare repository at a commit, which has all of origin's refs below `refs/fetched` too."""
    refs = {}
    for name, object_id in read_refs(origin).items():
        refs[f"refs/fetched/{name.removeprefix('refs/')}"] = object_id
        if name.startswith("refs/heads/"):
            refs[f"refs/remotes/origin/{name.removeprefix('refs/heads/')}"] = object_id
    borrow(origin, folder / ".git", head=commit, refs=refs)
    # Whoever copies the folder without its empty folders has a repository all the same.
    write_ref(folder / ".git", "refs/heads/job", commit)
    Repo(folder).git("reset", "-q", "--hard")


@contextmanager
def running(folder: Path, like: Path | None = None, files: Mapping[str, str] = FILES) -> Iterator[CiProject]:
    """Everything up, trunk on GitHub; nothing is applied, or what is in `like`, where it ran before."""
    if like:
        for name in ("gcs", "repo"):
            shutil.copytree(like / name, folder / name, symlinks=True)
    # When a plan was attested, by the bucket, is compared with when it was approved, by GitHub.
    clock = TestClock(keeps_up=True)
    with serving(folder / "gcs", clock=clock.now) as server:
        repo = Repo(folder / "repo", None if like else files)
        restore_init(repo.root)
        with ServedGitHub(folder, repo=repo, clock=clock) as github:
            for name in ("dev", "staging", "prod"):
                github.environment(f"{name}-approval", reviewers=["bert", "olga"])
            yield CiProject(RecordedProject(repo, server), github, folder)


def grant_plan_accounts(ci: CiProject, *environments: str) -> None:
    """Give each environment's plan account the rights that the reference gives it, and no other."""
    store = ci.recorded.server.store
    for name in environments:
        member = account(name, "plan")
        for part in dict.fromkeys(part for part, _ in RIGHTS["plan"]):
            store.insert_managed_folder(BUCKET, f"{name}/{part}")
            roles = [role for folder, role in RIGHTS["plan"] if folder == part]
            bindings = [{"role": f"roles/storage.{role}", "members": [member]} for role in roles]
            store.set_managed_folder_policy(BUCKET, f"{name}/{part}", {"bindings": bindings})
