"""`terraform init`, only when something that it depends on has changed, and without touching the checkout.

Terraform writes a lock file beside the root module's files when there is none, or adds this platform's
checksums to it. The checkout is not ours to write to: such a root is initialised, planned and applied in a
shadow (see `shadow.py`), whose lock file is our own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.atomic_files import write_private
from orchestrator.errors import InterruptedRunError, ProcessError, TerraformError
from orchestrator.process import Command, Completed, Supervisor
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform import command
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.diagnostics import (
    LOCK_FILE_INCOMPLETE,
    OTHER_PLATFORM,
    diagnostics_from_text,
    first_error,
)
from orchestrator.terraform.failures import MAKE_ROOM, is_disk_full
from orchestrator.terraform.locking import file_lock
from orchestrator.terraform.model import Workdir
from orchestrator.terraform.packages import installed_packages, private_cache
from orchestrator.terraform.shadow import is_shadow, make_shadow, real_root

OnProgress = Callable[[str], None]
MARKER = "infra-init.json"
_PROVIDER = re.compile(r"^- (Finding|Installing|Fetching) (.+?)(?:\.\.\.)?$")
# The source is left out: it may be an address with a password in it.
_MODULE = re.compile(r"^Downloading .+ for (\S+?)\.\.\.$")


@dataclass(frozen=True)
class _Marker:
    """What an `init` that went well left behind: under which inputs, with which packages, in which root."""

    fingerprint: str
    packages: tuple[str, ...]
    shadow: bool
    links: tuple[str, ...]

    @classmethod
    def read(cls, data_dir: Path) -> _Marker | None:
        try:
            marker = json.loads((data_dir / MARKER).read_bytes())
            return cls(
                marker["fingerprint"], tuple(marker["packages"]), marker["shadow"], tuple(marker["links"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, data_dir: Path) -> None:
        write_private(data_dir / MARKER, json.dumps(vars(self)).encode())


class Initializer:
    """Runs `init` for many stacks, side by side, with shared provider packages."""

    def __init__(self, binary: Binary, supervisor: Supervisor, cache_dir: Path) -> None:
        self._binary = binary
        self._supervisor = supervisor
        self._shared = cache_dir.absolute() / "packages"

    def run(
        self,
        work: Workdir,
        key: str,
        backend_config: Mapping[str, str],
        on_progress: OnProgress,
        *,
        force: bool = False,
    ) -> Path:
        """Initialise, unless an earlier `init` still holds; returns the root to run Terraform in."""
        lock = work.data_dir.with_name(work.data_dir.name + ".lock")
        with file_lock(lock, lambda: self._supervisor.interrupted):
            fingerprint = self.fingerprint(work, key, backend_config)
            marker = _Marker.read(work.data_dir)
            if not force and marker is not None and marker.fingerprint == fingerprint:
                root = _valid_root(work, marker)
                if root is not None:
                    return root
            (work.data_dir / MARKER).unlink(missing_ok=True)
            return self._initialise(work, fingerprint, backend_config, on_progress)

    def fingerprint(self, work: Workdir, key: str, backend_config: Mapping[str, str]) -> str:
        """A hash of all that `init` depends on; `key` stands for the root's and its modules' files."""
        attached = work.env.get("TF_REATTACH_PROVIDERS")
        inputs = [
            key,
            sorted(backend_config.items()),
            _text(work.root / LOCK_FILE),
            [_text(path) for path in _cli_configurations(work.env)],
            (work.binary or self._binary).identity,
            sorted(json.loads(attached)) if attached else [],
            str(work.root),
        ]
        return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()

    def _initialise(
        self, work: Workdir, fingerprint: str, backend_config: Mapping[str, str], on_progress: OnProgress
    ) -> Path:
        writable = is_shadow(work.root)
        locked = (work.root / LOCK_FILE).is_file()
        if writable or locked:
            done = self._init(work, work.root, backend_config, on_progress, readonly=not writable)
            if writable or LOCK_FILE_INCOMPLETE not in done.stdout:
                _Marker(fingerprint, _packages(work), False, ()).write(work.data_dir)
                return work.root
        root = _shadow_of(work, ())
        if not locked:
            (root / LOCK_FILE).unlink(missing_ok=True)
        self._init(work, root, backend_config, on_progress, readonly=False)
        if not (root / LOCK_FILE).is_file():
            # Built-in providers only: there is nothing to lock, so there is nothing to keep apart.
            _Marker(fingerprint, (), False, ()).write(work.data_dir)
            return work.root
        links = _local_state(work)
        _Marker(fingerprint, _packages(work), True, links).write(work.data_dir)
        return _shadow_of(work, links)

    def _init(
        self,
        work: Workdir,
        root: Path,
        backend_config: Mapping[str, str],
        on_progress: OnProgress,
        *,
        readonly: bool,
    ) -> Completed:
        work.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _ignore_local_plugins(work.data_dir)
        # The backend of the last init: `-reconfigure` does not forget one that the code no longer has.
        (work.data_dir / "terraform.tfstate").unlink(missing_ok=True)
        on_progress("initialising")
        with private_cache(self._shared, work.data_dir, root, lambda: self._supervisor.interrupted) as cache:
            env = {
                **work.env,
                "TF_DATA_DIR": str(work.data_dir),
                "TF_PLUGIN_CACHE_DIR": str(cache),
            }
            if not (root / LOCK_FILE).is_file():
                # Else a package is fetched again, although it is here, to learn checksums to lock.
                env["TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"] = "1"
            done = self._supervisor.run(
                Command(
                    (
                        *(work.binary or self._binary).argv,
                        *command.init(backend_config, readonly_lock=readonly),
                    ),
                    root,
                    env,
                    deadline=work.timeouts.init,
                    title=f"init of {work.title}",
                ),
                lambda stream, line: _report_progress(line, on_progress),
            )
        if not done.ok:
            raise _failure(work, done)
        return done


def _ignore_local_plugins(data_dir: Path) -> None:
    """Keep Terraform from looking for provisioner plugins in the root and in its `terraform.d`.

    Unlike providers these are not governed by `provider_installation`: a file terraform-provisioner-NAME in a
    pull request would run in each plan. The folder named here, as `init -plugin-dir` would, is never made.
    """
    (data_dir / "plugin_path").write_text(json.dumps([str(data_dir / "no-plugins")]), encoding="utf-8")


def discard_init(work: Workdir) -> None:
    """Somebody ran `init` in another way: ours is due again."""
    (work.data_dir / MARKER).unlink(missing_ok=True)


def effective_root(work: Workdir) -> Path:
    """The root that the last `init` decided on."""
    marker = _Marker.read(work.data_dir)
    return _shadow_of(work, marker.links) if marker is not None and marker.shadow else work.root


def _valid_root(work: Workdir, marker: _Marker) -> Path | None:
    """The root to run in, when what an earlier `init` made is still there."""
    if not all(Path(package).exists() for package in marker.packages):
        return None
    if not marker.shadow:
        return work.root
    root = _shadow_of(work, marker.links)
    return root if (root / LOCK_FILE).is_file() else None


def _shadow_of(work: Workdir, links: tuple[str, ...]) -> Path:
    """The root's shadow that carries a lock file of our own, brought up to date."""
    root = work.root.absolute()
    repo = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    below = work.data_dir.parent
    folder = below.with_name("shadow") if below.name == "data" else below
    target = folder / f"{work.data_dir.name}+lock"
    return make_shadow(repo, root.relative_to(repo), target, {}, links=links)


def _local_state(work: Workdir) -> tuple[str, ...]:
    """Where a local backend keeps the state, relative to the root; nothing for any other backend."""
    try:
        backend = json.loads((work.data_dir / "terraform.tfstate").read_bytes()).get("backend") or {}
    except (OSError, ValueError):
        backend = {}
    if backend.get("type", "local") != "local":
        return ()
    settings, workspace = backend.get("config") or {}, work.env.get("TF_WORKSPACE", "default")
    path = str(settings.get("path") or "terraform.tfstate")
    if workspace != "default":
        path = f"{settings.get('workspace_dir') or 'terraform.tfstate.d'}/{workspace}/terraform.tfstate"
    return () if Path(path).is_absolute() else (path, f"{path}.backup")


def _packages(work: Workdir) -> tuple[str, ...]:
    return tuple(map(str, installed_packages(work.data_dir)))


def _cli_configurations(env: Mapping[str, str]) -> list[Path]:
    if env.get("TF_CLI_CONFIG_FILE"):
        return [Path(env["TF_CLI_CONFIG_FILE"])]
    home = Path(env.get("HOME", "/"))
    return [home / ".terraformrc", home / ".tofurc"]


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def init_progress(line: str) -> str | None:
    """What a line of `init` says that it is doing; None when it says nothing of that kind."""
    provider, module = _PROVIDER.match(line), _MODULE.match(line)
    if module:
        return f"downloading module {module[1]}"
    return f"{provider[1].lower()} {provider[2]}" if provider else None


def _report_progress(line: bytes, on_progress: OnProgress) -> None:
    text = init_progress(line.decode("utf-8", "replace"))
    if text:
        on_progress(text)


def _failure(work: Workdir, done: Completed) -> Exception:
    if done.ended == "interrupted":
        return InterruptedRunError(f"The init of {work.title} was interrupted.")
    if done.ended == "deadline":
        return ProcessError(
            f"The init of {work.title} did not end within {work.timeouts.init:g} seconds.",
            advice="Is a registry, a module's git server or the state's bucket out of reach?",
        )
    root = str(real_root(work.root))
    diagnostics = tuple(
        replace(diagnostic, root=root) for diagnostic in diagnostics_from_text(done.error_text or done.text)
    )
    advice = "Mend what Terraform names, then run the same command again."
    if "Provider dependency changes detected" in done.error_text:
        advice = f"Run `infra lock`, or `terraform init` in {work.root}, and commit {LOCK_FILE}."
    elif OTHER_PLATFORM in " ".join(done.error_text.replace("│", " ").split()):
        advice = f"{LOCK_FILE} lacks this platform, or this is not the package locked: run `infra lock`."
    elif not (done.error_text or done.text).strip():
        advice = f"It ended with {done.returncode} and no text: try `terraform init` in {work.root}."
    what = "init failed"
    if is_disk_full(done.error_text):
        what, advice = "The disk is full: init failed", MAKE_ROOM
    return TerraformError(
        f"{what}: {first_error(diagnostics).summary}", diagnostics=diagnostics, advice=advice
    )
