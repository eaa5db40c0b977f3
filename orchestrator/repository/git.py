"""Git access. The only module that uses GitPython.

Each method starts at most one git process. Hooks, prompts, file system monitors and filters of the clone's
own configuration are disabled, and only `add_worktree` and `remove_worktree` write to the checkout.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from orchestrator.errors import GitError, ProjectError
from orchestrator.repository import git_environment, git_output
from orchestrator.repository.tree import Tree, blob_id

try:
    import git
    from git.exc import GitCommandError, GitCommandNotFound, InvalidGitRepositoryError, NoSuchPathError
except ImportError as missing:
    # GitPython runs `git version` as it is imported, which fails for settings that Git cannot read too.
    if shutil.which("git"):
        raise GitError("git does not run.", advice="`git version` says why.") from missing
    raise GitError("git is not installed, or not on PATH.", advice="Install git.") from missing

FULL_CLONE = (
    "Fetch all of it: in GitHub Actions with `fetch-depth: 0` on actions/checkout, else with "
    "`git fetch --unshallow`."
)
# Contents that reading a project needs.
CODE = (".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json", "infra.yaml")
WORKTREES = ".infra/worktrees"
# A smaller tree is read faster than Git is asked which of its files it converts.
MANY_FILES = 1_000
# The command that names the commit of a revision, and what is added to the revision.
_TO_COMMIT = ("rev-parse", "--verify", "--quiet", "--end-of-options")
_PEEL = "^{commit}"
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Commit:
    """A commit: full id, subject, author's name, when it was committed, and its parents."""

    id: str
    subject: str
    author: str
    when: datetime
    parents: tuple[str, ...]


class Repository:
    """A Git repository with a working tree, seen from `root`, the project's root inside it."""

    def __init__(
        self,
        repo: git.Repo,
        root: Path,
        settings: str | None = None,
        answers: dict[tuple[str, ...], tuple[int, bytes]] | None = None,
    ) -> None:
        """`settings` is the clone's whole configuration, as git lists it (`git_environment.LIST`).

        `answers` are the exit codes and outputs of git commands about commits, which cannot change.
        """
        self._repo = repo
        self._answers = {} if answers is None else answers
        # The commit that was listed last: a run reads the same one for its rules and for its stacks.
        self._last_tree: Tree | None = None
        self.top = Path(str(repo.working_tree_dir)).resolve()
        self.root = root.resolve()
        self._git = git.Git(str(self.root))
        self._git.update_environment(GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_ASKPASS="true")
        self._settings = self._text(*git_environment.LIST) if settings is None else settings
        # Keeps programs of the clone's own configuration out.
        self._git.update_environment(**git_environment.filter_overrides(self._settings, os.environ))

    @classmethod
    def open(cls, start: Path, root: Path | None = None) -> Repository:
        """Open the repository around `start`; GitError when there is none with a working tree."""
        try:
            repo = git.Repo(start, search_parent_directories=True)
        except (InvalidGitRepositoryError, NoSuchPathError) as error:
            raise GitError(
                f"{start} is not in a Git repository.",
                advice="Run infra inside a clone of your project; `git init` makes a new one.",
            ) from error
        except GitCommandNotFound as error:
            raise GitError("git is not installed.", advice="Install git and run infra again.") from error
        if repo.bare or repo.working_tree_dir is None:
            raise GitError(
                f"{start} is a bare repository.", advice="Run infra in a clone with a working tree."
            )
        return cls(repo, root or Path(str(repo.working_tree_dir)))

    @property
    def git_folder(self) -> Path:
        """What all working trees of the clone share (`.git`)."""
        return Path(str(self._repo.common_dir))

    @property
    def prefix(self) -> str:
        """The project's folder in the repository, with a slash at its end; empty at the top."""
        folder = self.root.relative_to(self.top).as_posix()
        return "" if folder == "." else f"{folder}/"

    def at(self, root: Path) -> Repository:
        """The same repository, seen from a root inside it."""
        return Repository(self._repo, root, self._settings, self._answers)

    # Revisions

    @property
    def is_shallow(self) -> bool:
        """True for a clone that lacks old commits."""
        return (self.git_folder / "shallow").exists()

    def lacking_error(self, message: str, advice: str = "") -> GitError:
        """An error about what the clone lacks; that it is shallow comes first, since the rest follows."""
        if self.is_shallow:
            return GitError(f"The clone is shallow. {message}", advice=FULL_CLONE)
        return GitError(message, advice=advice)

    def head(self) -> str | None:
        """The current commit; None before the first one. GitError for one that cannot be read."""
        commit = self._revision("HEAD")
        if commit is None and not self._is_unborn():
            raise self.lacking_error(
                "The current commit (HEAD) cannot be read.", "`git fsck` shows what is missing or broken."
            )
        return commit

    def default_branch(self) -> str | None:
        """What origin calls its default branch, else the current branch; None on no branch."""
        for name in ("refs/remotes/origin/HEAD", "HEAD"):
            status, out, _ = self._run("symbolic-ref", "--quiet", name)
            if status == 0:
                reference = os.fsdecode(out).strip()
                return reference.removeprefix("refs/remotes/origin/").removeprefix("refs/heads/")
        return None

    def _is_unborn(self) -> bool:
        """Whether the current branch has no commit yet."""
        branch = self._text("symbolic-ref", "HEAD").strip()
        return branch not in self._text("for-each-ref", "--format=%(refname)", branch).splitlines()

    def resolve(self, revision: str) -> str:
        """The full id of a commit; GitError for a revision that is not there."""
        commit = self._revision(revision)
        if commit is None:
            raise self.lacking_error(
                f"There is no revision {revision!r} here.",
                "Give a branch, a tag or a commit; `git fetch` may help.",
            )
        return commit

    def trunk(self, configured: str | None = None) -> str:
        """The trunk's ref: as configured, what origin's HEAD names, main, master; at origin before here."""
        refs = self._text(
            "for-each-ref", "--format=%(refname) %(symref)", "refs/heads", "refs/remotes/origin"
        )
        names = dict(line.partition(" ")[::2] for line in refs.splitlines())
        default = names.get("refs/remotes/origin/HEAD", "").removeprefix("refs/remotes/origin/")
        for name in (configured,) if configured else (default, "main", "master"):
            for ref in (f"refs/remotes/origin/{name}", f"refs/heads/{name}"):
                if name and ref in names:
                    return ref
        branches = f"{configured!r}, which infra.yaml names," if configured else "main or master"
        raise self.lacking_error(
            f"The trunk cannot be determined: there is no branch {branches} here or at origin.",
            "Name your main branch in infra.yaml (`trunk: NAME`) and `git fetch origin NAME`.",
        )

    def remote_url(self, name: str = "origin") -> str | None:
        """Where a remote is; None when there is no such remote."""
        status, out, _ = self._run("remote", "get-url", name)
        return out.decode("utf-8", "replace").strip() if status == 0 else None

    def configured_url(self, name: str = "origin") -> str | None:
        """A remote's address as the clone has it, without this machine's rewriting (`url.….insteadOf`)."""
        url = git_environment.setting(self._settings, f"remote.{name}.url")
        return None if url is None else os.fsencode(url).decode("utf-8", "replace").strip()

    def first_commit(self) -> str | None:
        """The oldest commit of the current branch's own line; None before the first commit."""
        status, out, _ = self._run("rev-list", "--max-parents=0", "--first-parent", "HEAD", "--")
        return next(iter(out.decode().split()), None) if status == 0 else None

    def merge_base(self, revision: str, other: str) -> str:
        """The merge base of two revisions."""
        try:
            base = self._text("merge-base", revision, other).strip()
        except GitError as error:
            raise self.lacking_error(
                f"{revision} and {other} have no commit in common here.",
                "Fetch the branch that yours started from.",
            ) from error
        self._remember([base])
        return base

    def is_ancestor(self, older: str, newer: str) -> bool:
        """True when `older` is `newer` or one of its ancestors."""
        status, _ = self._about_commits(("merge-base", "--is-ancestor"), (older, newer))
        return status == 0

    def first_parents(self, revision: str, limit: int) -> tuple[str, ...]:
        """A revision and the commits before it on its own line, newest first, at most `limit`."""
        arguments = ("rev-list", "--first-parent", f"--max-count={limit}", revision)
        commits = tuple(self._text(*arguments).split())
        self._remember(commits)
        return commits

    def line(self, revision: str, limit: int) -> list[Commit]:
        """A revision and the commits before it on its own line, newest first, at most `limit`."""
        logged = self._bytes(
            *("log", "-z", "--first-parent", "--format=%H%x00%s%x00%an%x00%ct%x00%P"),
            *(f"--max-count={limit}", revision, "--"),
        )
        fields = os.fsdecode(logged).split("\0")
        commits = [_as_commit(fields[index : index + 5]) for index in range(0, len(fields) - 4, 5)]
        self._remember(commit.id for commit in commits)
        return commits

    def history(self, revision: str, since: str, limit: int) -> list[tuple[str, tuple[str, ...]]]:
        """The commits on a revision's own line that `since` (if any) does not have, newest first, at most
        `limit`; each with the paths from the repository's top that it changed on that line."""
        mark = secrets.token_hex(16)
        logged = self._bytes(
            *("log", "-z", "-m", "--first-parent", "--no-renames", "--name-only", f"--format={mark}%H"),
            *(f"--max-count={limit}", revision, *([f"^{since}"] if since else []), "--"),
        )
        history = git_output.read_history(logged, mark)
        self._remember(commit for commit, _ in history)
        return history

    def commit(self, revision: str) -> Commit:
        """A commit's metadata."""
        arguments = ("show", "-s", "--format=%H%x00%s%x00%an%x00%ct%x00%P", f"{revision}^{{commit}}")
        _, output = self._answers.get(arguments) or (0, self._bytes(*arguments))
        if _FULL_ID.fullmatch(revision):
            self._answers[arguments] = 0, output
        text = os.fsdecode(output)
        commit = _as_commit(text.rstrip("\n").split("\0"))
        self._remember([commit.id])
        return commit

    def has_commit(self, commit: str) -> bool:
        """True when this clone has a commit."""
        return self._revision(commit) is not None

    def is_clean_merge(self, commit: str, trunk: str) -> bool:
        """True for a merge of a commit of `trunk` that holds what Git makes of it and nothing else.

        False also where this clone lacks the commits.
        """
        revision = self._revision(commit)
        parents = self.commit(revision).parents if revision else ()
        if revision is None or len(parents) != 2 or not self.is_ancestor(parents[1], trunk):
            return False
        status, out, _ = self._run("merge-tree", "--write-tree", *parents)
        tree = self._text("rev-parse", f"{revision}^{{tree}}").strip()
        return status == 0 and os.fsdecode(out).strip() == tree

    def fetch_pull_request(self, number: int) -> bool:
        """Fetch the head of a pull request from origin; False when origin does not give it."""
        status, _, _ = self._run("fetch", "--quiet", "origin", f"refs/pull/{number}/head")
        return status == 0

    # Files

    def working_tree(self) -> Tree:
        """Every file that Git tracks or would track, with uncommitted changes."""
        index = git_output.read_index(
            self._bytes("ls-files", "-z", "-v", "-s", "-c", "-m", "-d", "-o", "--exclude-standard")
        )
        files = []
        present = {path for path in index.unwatched if os.path.lexists(self.root / path)}
        for path in sorted(index.changed | present):
            full = self.root / path
            if full.is_symlink():
                index.links[path] = str(full.readlink())
            elif full.is_file():
                files.append(path)
        for path in present:
            index.ids.pop(path, None)
        index.ids.update(zip(files, self._hash(files), strict=True))
        read = self._working_reader(index.ids, sorted(index.unwatched - present))
        empty = [path for path in index.submodules if not _has_entries(self.root / path)]
        return Tree(
            index.ids,
            read,
            links=index.links,
            submodules=index.submodules,
            empty_submodules=empty,
            converted=self._converted(index.ids),
        )

    def _converted(self, paths: Collection[str]) -> Container[str] | None:
        """The files whose bytes Git converts on their way to and from the working tree; None: any may be."""
        autocrlf = git_environment.setting(self._settings, "core.autocrlf") or "false"
        if len(paths) < MANY_FILES or autocrlf.lower() != "false":
            return None
        with tempfile.TemporaryFile() as listing:
            listing.write(os.fsencode("\0".join([*paths, ""])))
            listing.seek(0)
            attributes = self._bytes("check-attr", "-z", "-a", "--stdin", stdin=cast(BinaryIO, listing))
        return git_output.read_converted(attributes)

    def _hash(self, paths: Sequence[str]) -> list[str]:
        """Object ids of files as Git would store them: its filters and line ends are applied."""
        plain = [path for path in paths if "\n" not in path]
        hashes: dict[str, str] = {}
        if plain:
            # Paths on stdin are relative to the top of the working tree, not to the folder git runs in.
            prefix = self.prefix
            with tempfile.TemporaryFile() as listing:
                for path in plain:
                    listing.write(os.fsencode(f"{prefix}{path}\n"))
                listing.seek(0)
                lines = (
                    self._bytes("hash-object", "--stdin-paths", stdin=cast(BinaryIO, listing))
                    .decode()
                    .split()
                )
            hashes = dict(zip(plain, lines, strict=True))
        return [hashes.get(path) or self._text("hash-object", "--", path).strip() for path in paths]

    def commit_tree(self, revision: str, known: Container[str] = (), checkout: Tree | None = None) -> Tree:
        """Every file of one commit, below the project's root.

        The first read gets all Terraform code at once, except contents that are `known` by their ids. Files
        that are the same in `checkout`, the working tree, are read from it.
        """
        commit = self.resolve(revision)
        if self._last_tree is not None and self._last_tree.commit == commit:
            return self._last_tree
        folder = self.prefix.removesuffix("/")
        treeish = f"{commit}:{folder}" if folder else commit
        status, listed, error = self._run("ls-tree", "-r", "-z", "--full-tree", treeish)
        if status:
            # A root that the commit does not have yet holds nothing. What cannot be read is not nothing.
            if not folder or self._bytes("ls-tree", "-z", "--full-tree", commit, "--", folder):
                why = error.decode("utf-8", "replace").strip()
                raise GitError(
                    f"The files of commit {commit[:10]} cannot be listed: {why}",
                    advice="`git fsck` says what is missing; a fresh clone has all of it.",
                )
            listed = b""
        tree = git_output.read_tree(listed)
        targets = self._objects(tree.links.values())
        links = {path: os.fsdecode(targets[object_id]) for path, object_id in tree.links.items()}
        read = self._commit_reader(commit, tree.ids, known, checkout)
        self._last_tree = Tree(tree.ids, read, links=links, submodules=tree.submodules, commit=commit)
        return self._last_tree

    def _commit_reader(
        self, commit: str, ids: dict[str, str], known: Container[str], checkout: Tree | None
    ) -> Callable[[str], bytes]:
        contents: dict[str, bytes] = {}
        same = {} if checkout is None else checkout.ids

        def is_needed(path: str, object_id: str) -> bool:
            return path.endswith(CODE) and object_id not in known and same.get(path) != object_id

        def read(path: str) -> bytes:
            nonlocal same
            object_id = ids[path]
            if object_id in contents:
                return contents[object_id]
            if checkout is not None and same.get(path) == object_id:
                data = checkout.read(path)
                if blob_id(data, object_id) == object_id:
                    return data
                # Git converts files, or one was saved just now: all code is read at once after all.
                same = {}
                contents.clear()
            object_ids = {object_id}
            if not contents:
                object_ids |= {id_ for name, id_ in ids.items() if is_needed(name, id_)}
                self._fetch_missing(commit, object_ids)
            contents.update(self._objects(object_ids))
            return contents[object_id]

        return read

    def _fetch_missing(self, commit: str, object_ids: set[str]) -> None:
        """In a partial clone, fetch what it lacks of a commit's contents at once; Git would fetch each alone.

        Best effort: what stays missing is an error where it is read.
        """
        remote = git_environment.promisor(self._settings)
        if remote is None or len(object_ids) < 2:
            return
        listing = ("rev-list", "--objects", "--no-object-names", "--missing=print", "--no-walk", commit)
        status, out, _ = self._run(*listing)
        missing = object_ids & {line[1:] for line in out.decode().split() if line.startswith("?")}
        if status or not missing:
            return
        options = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none")
        with tempfile.TemporaryFile() as ids_file:
            ids_file.write("\n".join([*sorted(missing), ""]).encode())
            ids_file.seek(0)
            command = ("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", *options, "--stdin")
            self._run(*command, "--end-of-options", remote, stdin=cast(BinaryIO, ids_file))

    def _objects(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Contents by object id, with one git process for all."""
        object_ids = sorted(set(ids))
        if not object_ids:
            return {}
        with tempfile.TemporaryFile() as listing:
            listing.write("\n".join([*object_ids, ""]).encode())
            listing.seek(0)
            out = self._bytes("cat-file", "--batch", stdin=cast(BinaryIO, listing))
        return git_output.read_batch(out, object_ids)

    def files_from_top(self, paths: Sequence[str], commit: str | None) -> dict[str, bytes]:
        """Those of some files that there are, by their path from the top of the repository.

        `commit` None reads the working tree. Links are left out.
        """
        if commit is None:
            full = {path: self.top / path for path in paths}
            return {
                path: file.read_bytes()
                for path, file in full.items()
                if file.is_file() and not file.is_symlink()
            }
        listed = git_output.read_tree(self._bytes("ls-tree", "-z", "--full-tree", commit, "--", *paths))
        contents = self._objects(listed.ids.values())
        return {path: contents[id_] for path, id_ in listed.ids.items()}

    def changed_paths(self, base: str) -> tuple[str, ...]:
        """Paths below the root that differ between a commit and the working tree, new files included."""
        listed = self._bytes("diff", "--name-only", "-z", "--no-renames", "--relative", base, "--", ".")
        fresh = self._bytes("ls-files", "-z", "-o", "--exclude-standard")
        return tuple(sorted({*git_output.entries(listed), *git_output.untracked(fresh)}))

    # Worktrees

    def add_worktree(self, commit: str, folder: Path | None = None) -> Path:
        """A checkout of a commit, made when it is not there yet; gives its top.

        It is at `folder`, by default below `.infra/worktrees/`.

        Its submodules have the files that the commit says, from their clones in this checkout; one that has
        no clone here stays an empty folder.
        """
        commit = self.resolve(commit)
        folder = folder or self.root / WORKTREES / commit
        if not (folder / ".git").exists():
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._bytes("worktree", "prune")
            self._bytes("worktree", "add", "--force", "--detach", "--quiet", str(folder), commit)
            self._fill_submodules(commit, folder)
        return folder

    def _fill_submodules(self, commit: str, folder: Path) -> None:
        """Write the files of a commit's submodules into a checkout of it, nested ones included."""
        listed = self._bytes("ls-tree", "-r", "-z", "--full-tree", commit)
        for path, inner in git_output.read_tree(listed).submodules.items():
            if not (self.top / path / ".git").exists():
                continue
            submodule = Repository.open(self.top / path)
            if not submodule.has_commit(inner):
                raise GitError(
                    f"The submodule {path} lacks commit {inner[:10]}, which {commit[:10]} names.",
                    advice=f"`git -C {path} fetch origin {inner}` brings it.",
                )
            submodule._write_files(inner, folder / path)
            submodule._fill_submodules(inner, folder / path)

    def _write_files(self, commit: str, folder: Path) -> None:
        """Write a commit's files into a folder; nothing here is moved to it."""
        with (
            tempfile.TemporaryDirectory() as temporary,
            self._git.custom_environment(GIT_INDEX_FILE=str(Path(temporary, "index"))),
        ):
            self._bytes("read-tree", commit)
            self._bytes("checkout-index", "--all", "--force", f"--prefix={folder}/")

    def remove_worktree(self, commit: str, folder: Path | None = None) -> None:
        """Remove a checkout that `add_worktree` made; nothing when there is none."""
        folder = folder or self.root / WORKTREES / commit
        if folder.exists():
            self._bytes("worktree", "remove", "--force", str(folder))

    # Remote branches

    def fetch(self, branch: str) -> str:
        """A branch's newest commit at origin, fetched. GitError when origin cannot be reached."""
        self._bytes("fetch", "--quiet", "origin", f"refs/heads/{branch}")
        return self.resolve("FETCH_HEAD")

    def empty_commit(self, parent: str, message: str) -> str:
        """A commit on another one that changes no file; no branch is moved to it."""
        return self._text("commit-tree", f"{parent}^{{tree}}", "-p", parent, "-m", message).strip()

    def changed_commit(self, parent: str, files: Mapping[str, bytes], message: str) -> str:
        """A commit on another one with other contents of some of its files, by path from the top.

        Neither the working tree nor the index is touched, and no branch is moved to it.
        """
        with (
            tempfile.TemporaryDirectory(prefix="infra-") as folder,
            self._git.custom_environment(GIT_INDEX_FILE=f"{folder}/index"),
        ):
            self._bytes("read-tree", parent)
            for path, data in files.items():
                mode = self._text(
                    "ls-files", "--full-name", "--format=%(objectmode)", f":(top){path}"
                ).strip()
                blob = self._written(data)
                self._bytes("update-index", "--add", "--cacheinfo", f"{mode or '100644'},{blob},{path}")
            tree = self._text("write-tree").strip()
        return self._text("commit-tree", tree, "-p", parent, "-m", message).strip()

    def _written(self, data: bytes) -> str:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            return os.fsdecode(self._bytes("hash-object", "-w", "--stdin", stdin=file)).strip()

    def merge_files(self, files: Mapping[str, Path]) -> tuple[bytes, bool]:
        """The content that Git makes of three files, and whether it has conflict markers.

        `files` maps labels, which the markers show, to the current file, the base and the other file.
        """
        options = [word for label in files for word in ("-L", label)]
        status, out, err = self._run("merge-file", "-p", "--diff3", *options, *map(str, files.values()))
        if not 0 <= status < 128:
            why = err.decode("utf-8", "replace").strip()
            raise GitError(f"Two versions of a file cannot be merged: {why}", advice="Is it a text file?")
        return out, status > 0

    def uncommitted(self, folder: str) -> bool:
        """Whether Git sees changes or new files below a folder of the project."""
        return bool(self._bytes("status", "--porcelain", "-z", "--", folder or "."))

    def start_branch(self, name: str) -> None:
        """Make a branch at HEAD and switch to it; GitError where it exists."""
        self._bytes("switch", "--quiet", "--create", name)

    def commit_paths(self, paths: Sequence[str], message: str) -> str:
        """Commit files as they are in the working tree, deleted ones too; the new commit of HEAD."""
        self._bytes("add", "--all", "--force", "--", *paths)
        self._bytes("commit", "--quiet", "--message", message, "--", *paths)
        return self.resolve("HEAD")

    def push(self, commit: str, branch: str) -> None:
        """Make a new branch at origin; one that is there and lies elsewhere is an error."""
        self._bytes("push", "--quiet", "origin", f"{commit}:refs/heads/{branch}")

    # How git is run

    def _working_reader(self, ids: dict[str, str], left_out: Sequence[str]) -> Callable[[str], bytes]:
        """Reads files; of those that a sparse checkout has `left_out`, all code at once."""
        root = str(self.root)
        contents: dict[str, bytes] = {}

        def read(path: str) -> bytes:
            try:
                # Thousands of small files. One that became a pipe is not waited for.
                with open(f"{root}/{path}", "rb", opener=_open_at_once) as file:
                    return file.read()
            except FileNotFoundError:
                # Left out by a sparse checkout; Git has it.
                object_id = ids[path]
                if object_id not in contents:
                    object_ids = {object_id}
                    if not contents:
                        object_ids |= {ids[name] for name in left_out if name.endswith(CODE)}
                        self._fetch_missing("HEAD", object_ids)
                    contents.update(self._objects(object_ids))
                return contents[object_id]
            except OSError as error:
                raise ProjectError(
                    f"{path} cannot be read: {error.strerror}",
                    file=path,
                    advice="Check the file's permissions.",
                ) from error

        return read

    def _revision(self, revision: str) -> str | None:
        status, out = self._about_commits(_TO_COMMIT, (revision,), peel=_PEEL)
        if status:
            return None
        commit = out.decode().strip()
        self._remember([commit])
        return commit

    def _remember(self, commits: Iterable[str]) -> None:
        """Note commits that git named: it need not be asked whether they exist."""
        for commit in commits:
            self._answers[*_TO_COMMIT, f"{commit}{_PEEL}"] = 0, f"{commit}\n".encode()

    def _about_commits(
        self, command: tuple[str, ...], revisions: tuple[str, ...], peel: str = ""
    ) -> tuple[int, bytes]:
        """Exit code and output of a command about commits; git is not asked twice about full ids.

        Only a yes is final: a fetch can bring a commit that was missing, or what a shallow clone lacked.
        """
        arguments = (*command, *(f"{revision}{peel}" for revision in revisions))
        if arguments in self._answers:
            return self._answers[arguments]
        status, out, _ = self._run(*arguments)
        if status == 0 and all(_FULL_ID.fullmatch(revision) for revision in revisions):
            self._answers[arguments] = status, out
        return status, out

    def _text(self, *arguments: str) -> str:
        return os.fsdecode(self._bytes(*arguments))

    def _bytes(self, *arguments: str, stdin: BinaryIO | None = None) -> bytes:
        status, out, err = self._run(*arguments, stdin=stdin)
        if status:
            text = err.decode("utf-8", "replace").strip()
            if "dubious ownership" in text:
                raise GitError(
                    f"Git does not trust {self.top}: it belongs to another user.",
                    advice=f"If you do: `git config --global --add safe.directory {self.top}`.",
                )
            raise self.lacking_error(f"git {arguments[0]} failed: {text or f'exit code {status}'}")
        return out

    def _run(self, *arguments: str, stdin: BinaryIO | None = None) -> tuple[int, bytes, bytes]:
        """Exit code, standard output and standard error of one git command."""
        try:
            done = self._git.execute(
                ["git", *git_environment.QUIET, *arguments],
                istream=stdin,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=False,
            )
        except GitCommandNotFound as error:
            raise GitError("git is not installed.", advice="Install git and run infra again.") from error
        status, out, err = cast("tuple[int, bytes | str, bytes | str]", done)
        return int(status), _as_bytes(out), _as_bytes(err)


def init_repository(folder: Path, branch: str) -> None:
    """Makes a repository of a folder, whose first commit will be on `branch`."""
    try:
        git.Repo.init(folder, initial_branch=branch)
    except GitCommandNotFound as error:
        raise GitError("git is not installed.", advice="Install git and run infra again.") from error
    except GitCommandError as error:
        text = str(error.stderr).strip()
        raise GitError(
            f"{folder} cannot be made a repository: {text}", advice="Read what git says."
        ) from error


def fetch_commit(folder: Path, url: str, commit: str) -> Repository:
    """A clone in `folder` that has one commit of another repository, fetched unless it is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        git.Repo.init(folder)
    except GitCommandNotFound as error:
        raise GitError("git is not installed.", advice="Install git and run infra again.") from error
    repository = Repository.open(folder)
    if not repository.has_commit(commit):
        repository._bytes("fetch", "--quiet", "--no-tags", "--end-of-options", url, commit)
    return repository


def _as_commit(fields: Sequence[str]) -> Commit:
    """A commit from the fields that git printed."""
    full, subject, author, when, parents = fields
    return Commit(full, subject, author, datetime.fromtimestamp(int(when), UTC), tuple(parents.split()))


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _as_bytes(output: bytes | str) -> bytes:
    return output if isinstance(output, bytes) else os.fsencode(output)


def _has_entries(folder: Path) -> bool:
    """Whether a folder exists and is not empty."""
    return folder.is_dir() and any(folder.iterdir())
