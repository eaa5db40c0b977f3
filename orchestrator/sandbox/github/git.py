"""The git side of a repository: its branches, what a pull request brings, test merges and real ones."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import SandboxError
from orchestrator.process import Command, Completed, Supervisor

ZERO = "0" * 40
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_HOST = {"NAME": "GitHub", "EMAIL": "noreply@github.com"}
_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
_STATUSES = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


@dataclass(frozen=True)
class Person:
    """Who made a commit, and when (RFC 3339)."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class GitCommit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class FileChange:
    """A file that a pull request changes; `previous` is its old name when it was renamed."""

    path: str
    status: str
    additions: int
    deletions: int
    blob: str
    previous: str = ""


class Git:
    """A bare git repository in `folder`, made when it is not there. What never changes is remembered."""

    def __init__(self, folder: Path, environ: Mapping[str, str], branch: str = "main") -> None:
        self.folder = folder
        foreign = ("GIT_", "LC_", "LANG")
        self._environ = {
            **{name: value for name, value in environ.items() if not name.startswith(foreign)},
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
        }
        self._supervisor = Supervisor()
        self._commits: dict[str, GitCommit] = {}
        self._files: dict[tuple[str, str], list[FileChange]] = {}
        self._ancestors: dict[tuple[str, str], bool] = {}
        self._ranges: dict[tuple[str, str, bool], list[str]] = {}
        # Whole ids of commits that are there.
        self._ids: set[str] = set()
        if not (folder / "HEAD").exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._run("init", "-q", "--bare", "-b", branch, ".")

    def heads(self) -> dict[str, str]:
        """The commit of each branch. Read from the files: this is asked at every request."""
        heads = {}
        packed = self.folder / "packed-refs"
        if packed.exists():
            for line in packed.read_text().splitlines():
                sha, _, name = line.partition(" ")
                if name.startswith("refs/heads/"):
                    heads[name.removeprefix("refs/heads/")] = sha
        top = self.folder / "refs/heads"
        for path in top.rglob("*"):
            # A branch may be deleted while we look.
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and path.suffix != ".lock":
                    heads[str(path.relative_to(top))] = path.read_text().strip()
        return heads

    def resolve(self, name: str) -> str:
        """The commit that a branch, a reference, a tag or (the beginning of) a commit's id means; else ''."""
        if name.startswith("-"):
            return ""
        heads = self.heads()
        if name in heads:
            return heads[name]
        if name in self._ids:
            return name
        done = self._try("rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}")
        if not done.ok:
            return ""
        self._ids.add(done.text.strip())
        return done.text.strip()

    def commit(self, sha: str) -> GitCommit:
        """One commit, by its whole id."""
        if sha not in self._commits:
            text = self._run("show", "-s", "--no-show-signature", f"--format={_FORMAT}", sha)
            _, tree, parents, an, ae, ad, cn, ce, cd, message = text.split("\0", 9)
            author, committer = Person(an, ae, ad), Person(cn, ce, cd)
            self._commits[sha] = GitCommit(
                sha, tree, tuple(parents.split()), author, committer, message.rstrip("\n")
            )
        return self._commits[sha]

    def is_ancestor(self, old: str, new: str) -> bool:
        """Is `old` in the history of `new`?"""
        key = (old, new)
        if key not in self._ancestors:
            self._ancestors[key] = old == new or self._try("merge-base", "--is-ancestor", old, new).ok
        return self._ancestors[key]

    def commits(self, base: str, head: str, *, first_parent: bool = False) -> list[str]:
        """Commits of `head` that `base` has not, oldest first; both are whole ids."""
        key = (base, head, first_parent)
        if key not in self._ranges:
            how = ("--first-parent",) if first_parent else ()
            listed = self._run("rev-list", "--reverse", "--topo-order", *how, head, f"^{base}")
            self._ranges[key] = listed.split()
        return list(self._ranges[key])

    def files(self, base: str, head: str) -> list[FileChange]:
        """What `head` changes since it left `base`, as a pull request shows it."""
        if (base, head) not in self._files:
            completed = self._try("merge-base", base, head)
            start = completed.text.strip() if completed.ok else base
            raw = self._run("diff", "-M", "--raw", "--no-abbrev", "-z", start, head)
            counts = self._run("diff", "-M", "--numstat", "-z", start, head)
            self._files[base, head] = _changes(raw, _counts(counts))
        return self._files[base, head]

    def diff(self, base: str, head: str) -> bytes:
        """What `head` changes since it left `base` (all that it holds where that is empty), as a diff."""
        text = self._try("merge-base", base, head).text.strip() if base else _EMPTY_TREE
        return self._bytes("diff", "-M", text or base, head)

    def patch(self, base: str, head: str) -> bytes:
        """The commits of `head` that `base` has not, as e-mails with patches, oldest first."""
        return self._bytes(
            "format-patch", "--stdout", "-M", *([f"{base}..{head}"] if base else ["--root", head])
        )

    def read(self, commit: str, path: str) -> tuple[str, bytes] | None:
        """A file's blob id and content, or None."""
        kind = self._try("rev-parse", "-q", "--verify", "--end-of-options", f"{commit}:{path}")
        if not kind.ok:
            return None
        done = self._try("cat-file", "blob", kind.text.strip())
        return (kind.text.strip(), done.stdout) if done.ok else None

    def names(self, commit: str, path: str) -> list[tuple[str, str, str]]:
        """What a folder holds: kind (`blob`, `tree`), id and path of each."""
        where = f"{path.strip('/')}/" if path.strip("/") else "."
        done = self._run("ls-tree", "-z", commit, where)
        rows = [line.partition("\t") for line in done.split("\0") if line]
        return [(head.split()[1], head.split()[2], name) for head, _, name in rows]

    def merge_tree(self, base: str, head: str) -> str:
        """The tree of a merge of two commits; '' on a conflict."""
        done = self._try("merge-tree", "--write-tree", "--allow-unrelated-histories", base, head)
        return done.text.splitlines()[0] if done.ok else ""

    def write_commit(
        self, tree: str, parents: tuple[str, ...], message: str, at: str, author: Person | None = None
    ) -> str:
        """Write a commit that GitHub makes at `at`; its id."""
        people = {f"GIT_COMMITTER_{key}": value for key, value in _HOST.items()}
        who = author or Person(_HOST["NAME"], _HOST["EMAIL"], at)
        people |= {
            "GIT_COMMITTER_DATE": at,
            "GIT_AUTHOR_NAME": who.name,
            "GIT_AUTHOR_EMAIL": who.email,
            "GIT_AUTHOR_DATE": who.date,
        }
        of = [part for parent in parents for part in ("-p", parent)]
        return self._run("commit-tree", tree, *of, "-m", message, more=people).strip()

    def replay(self, commits: list[str], onto: str, at: str) -> list[str]:
        """Write commits again, one after the other, on another commit; [] on a conflict."""
        replayed: list[str] = []
        for sha in commits:
            old = self.commit(sha)
            top = replayed[-1] if replayed else onto
            # A stand-in with our tree and their parent, so that the parent is what the merge starts from.
            stand_in = self.write_commit(self.commit(top).tree, old.parents[:1], "stand-in", at)
            tree = self.merge_tree(stand_in, sha)
            if not tree:
                return []
            replayed.append(self.write_commit(tree, (top,), old.message, at, old.author))
        return replayed

    def set_ref(self, name: str, commit: str) -> None:
        """Point a reference (`refs/…`) somewhere; delete it when `commit` is empty."""
        if commit:
            self._run("update-ref", name, commit)
        else:
            self._run("update-ref", "-d", name)

    def _try(self, *arguments: str, more: Mapping[str, str] | None = None) -> Completed:
        env = {**self._environ, **(more or {})}
        return self._supervisor.run(Command(("git", *arguments), self.folder, env, deadline=60))

    def _run(self, *arguments: str, more: Mapping[str, str] | None = None) -> str:
        return self._done(*arguments, more=more).exact_text

    def _bytes(self, *arguments: str) -> bytes:
        return self._done(*arguments).stdout

    def _done(self, *arguments: str, more: Mapping[str, str] | None = None) -> Completed:
        done = self._try(*arguments, more=more)
        if not done.ok:
            raise SandboxError(
                f"git {arguments[0]} failed in {self.folder}: {done.error_text.strip()}",
                advice="Is the folder a git repository?",
            )
        return done


def _counts(text: str) -> dict[str, tuple[int, int]]:
    """`git diff --numstat -z`: added and deleted lines by path; a binary file has none."""
    counts = {}
    parts = iter(text.split("\0"))
    for part in parts:
        if part:
            added, deleted, path = part.split("\t")
            if not path:
                next(parts)
                path = next(parts)
            counts[path] = (int(added), int(deleted)) if added != "-" else (0, 0)
    return counts


def _changes(raw: str, counts: Mapping[str, tuple[int, int]]) -> list[FileChange]:
    """`git diff --raw -z`, with the counts."""
    changes = []
    parts = iter(raw.split("\0"))
    for part in parts:
        if part:
            _, _, old, new, status = part.lstrip(":").split()
            previous = next(parts) if status[0] in "RC" else ""
            path = next(parts)
            blob = old if new == ZERO else new
            changes.append(FileChange(path, _STATUSES[status[0]], *counts.get(path, (0, 0)), blob, previous))
    return changes
