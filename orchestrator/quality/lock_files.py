"""`infra lock`: lock files for every platform that people and CI use, and one version for all stacks.

Versions are chosen once, for a root that calls every stack as a module: so every constraint holds. Then
each stack gets a lock file of its own, with those versions and its own constraints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.atomic_files import write_below
from orchestrator.config import StackSettings
from orchestrator.engine.context import RunContext
from orchestrator.engine.session import Session
from orchestrator.errors import InfraError, InterruptedRunError, StateError, TerraformError, UsageError
from orchestrator.jsontext import items, mapping, read_object
from orchestrator.process import Command, Completed
from orchestrator.quality.code_folders import collect_types, provider_sources
from orchestrator.repository.discovery import RootModule, stack_of_root
from orchestrator.repository.facts import module_facts
from orchestrator.repository.hcl import Block, read
from orchestrator.repository.layout import BOOTSTRAP, default_bootstrap_root
from orchestrator.repository.lock_file import LOCK_FILE, read_lock_file
from orchestrator.repository.model import Project, Stack
from orchestrator.repository.modules import is_code, merge_files
from orchestrator.terraform import command
from orchestrator.terraform.environment import child_environment
from orchestrator.terraform.failures import command_error
from orchestrator.terraform.shadow import make_shadow
from orchestrator.terraform.version import ConstraintError, Version

PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64")
# Seconds; each provider is fetched for each platform.
DEADLINE = 3600.0
# OpenTofu's own default registry counts as the same.
DEFAULT_REGISTRY = "registry.terraform.io"
OPENTOFU_REGISTRY = "registry.opentofu.org"
_LACKING = re.compile(r"is\s+not\s+available\s+for\s+([a-z0-9]+_[a-z0-9]+)")
UNREACHABLE = (
    *("could not connect to", "no such host", "connection refused", "i/o timeout", "network is unreachable"),
    *("failed to request discovery document", "TLS handshake", "Proxy Authentication"),
)


@dataclass(frozen=True)
class ProviderMirror:
    """Where providers are fetched from instead of their registries: a folder, or a network mirror's URL."""

    folder: Path | None = None
    url: str | None = None


@dataclass(frozen=True)
class InstallationMethod:
    """One method of a CLI configuration: where it takes packages from, and the providers that it serves."""

    mirror: ProviderMirror
    include: tuple[str, ...] = ("*/*/*",)
    exclude: tuple[str, ...] = ()

    def serves(self, source: str) -> bool:
        """Whether it serves a provider, by its full address; a `*` stands for one segment."""
        return any(map(_source_pattern(source), self.include)) and not any(
            map(_source_pattern(source), self.exclude)
        )


def _source_pattern(source: str) -> Callable[[str], bool]:
    """Whether a pattern of a CLI configuration covers a provider; `a/b` is one of the default registry."""

    def covers(pattern: str) -> bool:
        segments = pattern.removeprefix(f"{OPENTOFU_REGISTRY}/").split("/")
        segments = segments if len(segments) == 3 else [DEFAULT_REGISTRY, *segments]
        pairs = zip(segments, source.split("/"), strict=False)
        return len(segments) == 3 and all(segment in ("*", word) for segment, word in pairs)

    return covers


def configured_methods(text: str) -> tuple[InstallationMethod, ...]:
    """The methods of a CLI configuration; one that cannot be read serves nothing."""
    return tuple(
        method
        for block in read("cli.tfrc", text.encode()).of("provider_installation")
        for installation in block.blocks
        if (method := _method(installation))
    )


def _method(block: Block) -> InstallationMethod | None:
    values = {name: attribute.expression.literal() for name, attribute in block.attributes.items()}
    match block.kind, values:
        case "direct", _:
            mirror = ProviderMirror()
        case "filesystem_mirror", {"path": str(path)}:
            mirror = ProviderMirror(folder=Path(path))
        case "network_mirror", {"url": str(url)}:
            mirror = ProviderMirror(url=url)
        case _:
            return None
    include, exclude = values.get("include", ["*/*/*"]), values.get("exclude", [])
    if not isinstance(include, list) or not isinstance(exclude, list):
        return None
    return InstallationMethod(mirror, tuple(map(str, include)), tuple(map(str, exclude)))


def group_by_mirror(
    methods: Sequence[InstallationMethod], sources: Iterable[str]
) -> dict[ProviderMirror, tuple[str, ...]]:
    """Where each provider is taken from: the one method that serves it, else its registry.

    `terraform providers lock` reads no CLI configuration, and takes one mirror.
    """
    groups: dict[ProviderMirror, tuple[str, ...]] = {}
    for source in sorted(sources):
        mirrors = [method.mirror for method in methods if method.serves(source)]
        mirror = mirrors[0] if len(mirrors) == 1 else ProviderMirror()
        groups[mirror] = (*groups.get(mirror, ()), source)
    return groups


@dataclass(frozen=True)
class LockedRoot:
    """A root's lock file. `providers` maps source addresses to versions."""

    id: str
    file: str
    result: Literal["written", "unchanged"]
    providers: Mapping[str, str]


def find_roots(project: Project) -> dict[str, Stack]:
    """Every root that needs a lock file, by its path: stacks that use providers, and the bootstrap."""
    stacks = list(project.stacks.values())
    path = default_bootstrap_root(project)
    if project.coverage.source.code(path):
        root = RootModule(BOOTSTRAP, "", path, StackSettings())
        stacks.append(stack_of_root(project.config, project.coverage.source, root)[1])
    return {stack.path: stack for stack in stacks if project.coverage.types([stack]).providers}


def write_lock_files(
    session: Session,
    stacks: Iterable[str],
    *,
    upgrade: bool = False,
    mirror: ProviderMirror | None = None,
    platforms: Sequence[str] = (),
) -> tuple[LockedRoot, ...]:
    """Write the lock files of `stacks` (ids). Nothing is written unless all of them can be.

    Without a `mirror` the CLI configuration's counts, and without `platforms` PLATFORMS.
    Versions that are locked already stay, the highest where stacks disagree; with `upgrade` each provider
    takes the newest version that every stack's constraints allow.
    """
    context = session.context
    if context.environ.get("TF_REATTACH_PROVIDERS"):
        raise UsageError(
            "On the sandbox providers are simulated: there is nothing to lock.",
            advice="Run `infra lock` outside of `infra sandbox exec`.",
        )
    methods = (InstallationMethod(mirror),) if mirror else configured_methods(_cli_text(session))
    locking = _Locking(session, methods, tuple(platforms) or PLATFORMS)
    roots = find_roots(context.project)
    ids = set(stacks)
    chosen = [path for path, stack in roots.items() if stack.id in ids]
    if not chosen:
        return ()
    union = locking.union(
        list(roots), "" if upgrade else _highest_locked_versions(context.project, roots.values())
    )
    texts = locking.texts(list(roots), chosen, union)
    return tuple(_write(context.project, roots[path], texts[path]) for path in chosen)


def find_disagreements(project: Project) -> dict[str, dict[str, list[str]]]:
    """Providers that lock files have in several versions: source → version → the stacks that lock it."""
    versions_by_source: dict[str, dict[str, list[str]]] = {}
    for stack in find_roots(project).values():
        for source, version in _versions(_lock_text(project, stack)).items():
            versions_by_source.setdefault(source, {}).setdefault(version, []).append(stack.id)
    return {source: versions for source, versions in versions_by_source.items() if len(versions) > 1}


def _highest_locked_versions(project: Project, stacks: Iterable[Stack]) -> str:
    """A lock file with the highest locked version of each provider; empty when none is locked."""
    best: dict[str, tuple[tuple[object, ...], str]] = {}
    for stack in stacks:
        text = _lock_text(project, stack)
        for source, version in _versions(text).items():
            highest = best.get(source)
            if highest is None or _order(version) > highest[0]:
                best[source] = _order(version), _block(text, source)
    return "\n".join(block for _, (_, block) in sorted(best.items()))


@dataclass(frozen=True)
class _Locking:
    """Runs Terraform in roots of our own below `.infra/`."""

    session: Session
    methods: tuple[InstallationMethod, ...]
    platforms: tuple[str, ...]

    def union(self, paths: Sequence[str], text: str) -> str:
        """The lock file of all roots together, which decides the versions."""
        calls = "".join(
            f'module "r{number}" {{\n  source = "./{path}"\n}}\n' for number, path in enumerate(paths)
        )
        folders = self._make_workdir("", {"infra_lock.tf": calls})
        try:
            return self._locked(*folders, paths, text)
        except TerraformError:
            if not text:
                raise
            # What is locked no longer fits the constraints: choose again.
            return self._locked(*folders, paths, "")

    def texts(self, every: Sequence[str], chosen: Sequence[str], union: str) -> dict[str, str]:
        """A lock file for each chosen root; roots that require the same share one run of Terraform."""
        wants = {path: requirements(self.session.context.project, path) for path in every}
        if len(set(wants.values())) == 1:
            return dict.fromkeys(chosen, union)
        texts: dict[tuple[str, ...], str] = {}
        for path in chosen:
            if wants[path] not in texts:
                texts[wants[path]] = self._locked(*self._make_workdir(path, {}), [path], union)
        return {path: texts[wants[path]] for path in chosen}

    def _make_workdir(self, path: str, overrides: Mapping[str, str]) -> tuple[Path, Path]:
        """A copy of a root to lock in, and its TF_DATA_DIR."""
        target = self.session.context.folders.shadow(f"lock {path}")
        root = make_shadow(self.session.context.project.root, Path(path), target, overrides)
        return root, target.with_name(target.name + ".data")

    def _locked(self, root: Path, data_dir: Path, paths: Sequence[str], text: str) -> str:
        """The lock file that Terraform makes in a root, beginning with `text`; `paths` are its folders."""
        file = root / LOCK_FILE
        file.unlink(missing_ok=True)
        if text:
            file.write_text(text, encoding="utf-8")
        self._run(root, data_dir, command.get())
        sources = collect_types(self.session.context.project, paths).providers | _fetched_sources(
            root, data_dir
        )
        groups = group_by_mirror(self.methods, sources) or {ProviderMirror(): ()}
        for mirror, providers in groups.items():
            argv = command.providers_lock(
                self.platforms,
                fs_mirror=mirror.folder,
                net_mirror=mirror.url,
                # All of them, without names, where they come from one source.
                providers=[_short(source) for source in providers] if len(groups) > 1 else (),
            )
            self._run(root, data_dir, argv, mirror)
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    def _run(
        self, root: Path, data_dir: Path, argv: Sequence[str], mirror: ProviderMirror = ProviderMirror()
    ) -> Completed:
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
            raise _refusal(context, name, root, done, mirror)
        return done


def _fetched_sources(root: Path, data_dir: Path) -> set[str]:
    """The providers of modules that `terraform get` fetched, as full addresses."""
    manifest = data_dir / "modules" / "modules.json"
    modules = items(read_object(manifest.read_bytes()).get("Modules")) if manifest.is_file() else []
    folders = {root / str(mapping(module).get("Dir", "")) for module in modules}
    sources: set[str] = set()
    for folder in sorted(folder for folder in folders if folder.is_relative_to(data_dir)):
        files = [
            read(path.name, path.read_bytes()) for path in sorted(folder.glob("*.tf*")) if is_code(path.name)
        ]
        sources |= provider_sources(module_facts(merge_files(files)))
    return sources


def _short(source: str) -> str:
    """A provider's address as a binary with another default registry understands it, too."""
    return source.removeprefix(f"{DEFAULT_REGISTRY}/")


def requirements(project: Project, path: str) -> tuple[str, ...]:
    """What a root and the modules that it reaches say about providers; equal ones need equal lock files."""
    source = project.coverage.source
    folder = source.real(path)
    requirements: set[str] = set()
    for reached in (folder, *source.reached(folder)):
        requirements |= source.directory(reached).types.providers
        for _, file in source.blocks(reached):
            for block in file.of("terraform"):
                for required in block.of("required_providers"):
                    requirements |= {
                        _collapse_spaces(f"{a.name}={a.source}") for a in required.attributes.values()
                    }
    return tuple(sorted(requirements))


def _collapse_spaces(text: str) -> str:
    return " ".join(text.split())


def _cli_text(session: Session) -> str:
    """The CLI configuration that Terraform gets; empty for none, and for one in JSON."""
    cli = session.terraform.cli
    if cli.text is not None or cli.file is None:
        return cli.text or ""
    try:
        text = cli.file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "" if text.lstrip().startswith("{") else text


def _refusal(
    context: RunContext, name: str, root: Path, done: Completed, mirror: ProviderMirror
) -> InfraError:
    """Why Terraform made no lock file, and that none was written."""
    error = command_error(name, root, DEADLINE, done)
    if isinstance(error, InterruptedRunError):
        return error
    text = context.mask(done.error_text.strip() or error.message)
    if any(words in text for words in UNREACHABLE):
        return TerraformError(
            f"A registry cannot be reached, so no lock file was written.\n{text}",
            advice="Run `infra lock` where it can be, or give `--fs-mirror DIR` or `--net-mirror URL`.",
        )
    source = mirror.folder or mirror.url
    if source and (lacking := _LACKING.search(text)):
        return TerraformError(
            f"{source} has no package for {lacking[1]}, so no lock file was written.\n{text}",
            advice=f"Add it (`terraform providers mirror -platform={lacking[1]} DIR`), or lock for those "
            "platforms only that people and CI use: `--platform OS_ARCH`.",
        )
    return TerraformError(
        f"No lock file was written: {text}",
        advice="All stacks get one version of each provider: does one fit every `required_providers`?",
    )


def _write(project: Project, stack: Stack, text: str) -> LockedRoot:
    file = f"{stack.path}/{LOCK_FILE}"
    versions = _versions(text)
    if _lock_text(project, stack) == text:
        return LockedRoot(stack.id, file, "unchanged", versions)
    try:
        write_below(project.root, file, text.encode())
    except OSError as error:
        raise StateError(f"{file} cannot be written: {error.strerror}.", advice="Who owns it?") from error
    return LockedRoot(stack.id, file, "written", versions)


def _lock_text(project: Project, stack: Stack) -> str:
    try:
        return (project.root / stack.path / LOCK_FILE).read_text(encoding="utf-8")
    except OSError:
        return ""


def _versions(text: str) -> dict[str, str]:
    """Source address → version, from a lock file."""
    return {
        provider.source: provider.version or ""
        for provider in read_lock_file(text.encode())
        if provider.version
    }


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
