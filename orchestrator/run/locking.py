"""`infra lock`: lock files for every platform that people and CI use, and one version for all stacks.

Versions are chosen once, for a root that calls every stack as a module: so every constraint holds. Then
each stack gets a lock file of its own, with those versions and its own constraints.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.config import StackSettings
from orchestrator.engine.context import RunContext
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, InterruptedRunError, StateError, TerraformError, UsageError
from orchestrator.process import Command, Completed
from orchestrator.project.discovery import Root, stack_of_root
from orchestrator.project.model import Project, Stack
from orchestrator.repository.hcl import read
from orchestrator.run.bootstrapping import NAME, default_root
from orchestrator.terraform import command
from orchestrator.terraform.environment import child_environment
from orchestrator.terraform.failures import failure
from orchestrator.terraform.shadow import LOCK_FILE, make_shadow
from orchestrator.terraform.version import ConstraintError, Version

PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64")
# Seconds; each provider is fetched for each platform.
DEADLINE = 3600.0
UNREACHABLE = (
    *("could not connect to", "no such host", "connection refused", "i/o timeout", "network is unreachable"),
    *("failed to request discovery document", "TLS handshake", "Proxy Authentication"),
)


@dataclass(frozen=True)
class Mirror:
    """Where providers are fetched from instead of their registries: a folder, or a network mirror's URL."""

    folder: Path | None = None
    url: str | None = None


@dataclass(frozen=True)
class Locked:
    """A root's lock file. `providers` maps source addresses to versions."""

    id: str
    file: str
    result: Literal["written", "unchanged"]
    providers: Mapping[str, str]


def roots_of(project: Project) -> dict[str, Stack]:
    """Every root that needs a lock file, by its path: stacks that use providers, and the bootstrap."""
    found = list(project.stacks.values())
    path = default_root(project)
    if project.coverage.source.code(path):
        root = Root(NAME, "", path, StackSettings())
        found.append(stack_of_root(project.config, project.coverage.source, root, project.root)[1])
    return {stack.path: stack for stack in found if project.coverage.types([stack]).providers}


def lock(
    session: Session, stacks: Iterable[str], *, upgrade: bool = False, mirror: Mirror | None = None
) -> tuple[Locked, ...]:
    """Write the lock files of `stacks` (ids). Nothing is written unless all of them can be.

    Versions that are locked already stay, the highest where stacks disagree; with `upgrade` each provider
    takes the newest version that every stack's constraints allow.
    """
    context = session.context
    if context.environ.get("TF_REATTACH_PROVIDERS"):
        raise UsageError(
            "On the sandbox providers are simulated: there is nothing to lock.",
            advice="Run `infra lock` outside of `infra sandbox exec`.",
        )
    locking = _Locking(session, mirror or Mirror())
    roots = roots_of(context.project)
    wanted = set(stacks)
    chosen = [path for path, stack in roots.items() if stack.id in wanted]
    if not chosen:
        return ()
    union = locking.union(list(roots), "" if upgrade else seed(context.project, roots.values()))
    texts = locking.texts(list(roots), chosen, union)
    return tuple(_write(context.project, roots[path], texts[path]) for path in chosen)


def disagreements(project: Project) -> dict[str, dict[str, list[str]]]:
    """Providers that lock files have in several versions: source → version → the stacks that lock it."""
    found: dict[str, dict[str, list[str]]] = {}
    for stack in roots_of(project).values():
        for source, version in _versions(_lock_text(project, stack)).items():
            found.setdefault(source, {}).setdefault(version, []).append(stack.id)
    return {source: versions for source, versions in found.items() if len(versions) > 1}


def seed(project: Project, stacks: Iterable[Stack]) -> str:
    """A lock file with the highest locked version of each provider; empty when none is locked."""
    best: dict[str, tuple[tuple[object, ...], str]] = {}
    for stack in stacks:
        text = _lock_text(project, stack)
        for source, version in _versions(text).items():
            known = best.get(source)
            if known is None or _order(version) > known[0]:
                best[source] = _order(version), _block(text, source)
    return "\n".join(block for _, (_, block) in sorted(best.items()))


@dataclass(frozen=True)
class _Locking:
    """Runs Terraform in roots of our own below `.infra/`."""

    session: Session
    mirror: Mirror

    def union(self, paths: Sequence[str], text: str) -> str:
        """The lock file of all roots together, which decides the versions."""
        calls = "".join(
            f'module "r{number}" {{\n  source = "./{path}"\n}}\n' for number, path in enumerate(paths)
        )
        place = self._place("", {"infra_lock.tf": calls})
        try:
            return self._locked(*place, text)
        except TerraformError:
            if not text:
                raise
            # What is locked no longer fits the constraints: choose anew.
            return self._locked(*place, "")

    def texts(self, every: Sequence[str], chosen: Sequence[str], union: str) -> dict[str, str]:
        """A lock file for each chosen root; roots that require the same share one run of Terraform."""
        wants = {path: requirements(self.session.context.project, path) for path in every}
        if len(set(wants.values())) == 1:
            return dict.fromkeys(chosen, union)
        made: dict[tuple[str, ...], str] = {}
        for path in chosen:
            if wants[path] not in made:
                made[wants[path]] = self._locked(*self._place(path, {}), union)
        return {path: made[wants[path]] for path in chosen}

    def _place(self, path: str, overrides: Mapping[str, str]) -> tuple[Path, Path]:
        """A copy of a root to lock in, and its TF_DATA_DIR."""
        target = self.session.context.folders.shadow(f"lock {path}")
        root = make_shadow(self.session.context.project.root, Path(path), target, overrides)
        return root, target.with_name(target.name + ".data")

    def _locked(self, root: Path, data_dir: Path, text: str) -> str:
        """The lock file that Terraform makes in a root, beginning with `text`."""
        file = root / LOCK_FILE
        file.unlink(missing_ok=True)
        if text:
            file.write_text(text, encoding="utf-8")
        mirror = self.mirror
        self._run(root, data_dir, command.get())
        argv = command.providers_lock(PLATFORMS, fs_mirror=mirror.folder, net_mirror=mirror.url)
        self._run(root, data_dir, argv)
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def _run(self, root: Path, data_dir: Path, argv: Sequence[str]) -> Completed:
        session = self.session
        context = session.context
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        env = {**child_environment(context.environ), "TF_DATA_DIR": str(data_dir)}
        name = " ".join(word for word in argv[:2] if not word.startswith("-"))
        done = context.supervisor.run(
            Command(
                (*session.terraform.binaries.default.argv, *argv), root, env, deadline=DEADLINE, title=name
            )
        )
        if not done.ok:
            raise _refusal(context, name, root, done)
        return done


def requirements(project: Project, path: str) -> tuple[str, ...]:
    """What a root and the modules that it reaches say about providers; equal ones need equal lock files."""
    source = project.coverage.source
    folder = source.real(path)
    found: set[str] = set()
    for one in (folder, *source.reached(folder)):
        found |= source.directory(one).types.providers
        for _, file in source.blocks(one):
            for block in file.of("terraform"):
                for required in block.of("required_providers"):
                    found |= {_words(f"{a.name}={a.source}") for a in required.attributes.values()}
    return tuple(sorted(found))


def _words(text: str) -> str:
    return " ".join(text.split())


def _refusal(context: RunContext, name: str, root: Path, done: Completed) -> InfraError:
    """Why Terraform made no lock file, and that none was written."""
    error = failure(name, root, DEADLINE, done)
    if isinstance(error, InterruptedRunError):
        return error
    text = context.mask(done.error_text.strip() or error.message)
    if any(words in text for words in UNREACHABLE):
        return TerraformError(
            f"A registry cannot be reached, so no lock file was written.\n{text}",
            advice="Run `infra lock` where it can be, or give `--fs-mirror DIR` or `--net-mirror URL`.",
        )
    return TerraformError(
        f"No lock file was written: {text}",
        advice="All stacks get one version of each provider: does one fit every `required_providers`?",
    )


def _write(project: Project, stack: Stack, text: str) -> Locked:
    path = project.root / stack.path / LOCK_FILE
    file = f"{stack.path}/{LOCK_FILE}"
    versions = _versions(text)
    if _lock_text(project, stack) == text:
        return Locked(stack.id, file, "unchanged", versions)
    draft = path.with_name(f"{LOCK_FILE}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise StateError(f"{file} cannot be written: {error.strerror}.", advice="Who owns it?") from error
    return Locked(stack.id, file, "written", versions)


def _lock_text(project: Project, stack: Stack) -> str:
    try:
        return (project.root / stack.path / LOCK_FILE).read_text(encoding="utf-8")
    except OSError:
        return ""


def _versions(text: str) -> dict[str, str]:
    """Source address → version, from a lock file."""
    blocks = read(LOCK_FILE, text.encode()).of("provider")
    return {one.name: one.attributes["version"].value or "" for one in blocks if "version" in one.attributes}


def _block(text: str, source: str) -> str:
    """The part of a lock file about one provider."""
    start = text.index(f'provider "{source}"')
    end = text.find("\n}\n", start)
    return text[start : end + 3] if end >= 0 else text[start:]


def _order(version: str) -> tuple[object, ...]:
    try:
        return tuple(Version.parse(version).order)
    except ConstraintError:
        return ()
