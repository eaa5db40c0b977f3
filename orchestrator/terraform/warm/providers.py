"""Attaches Terraform commands to providers that stay running for a whole run."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import InfraError
from orchestrator.process import BackgroundPrograms
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform.cli_configuration import has_development_overrides
from orchestrator.terraform.credentials import account_identity
from orchestrator.terraform.warm.gateway import Gateway
from orchestrator.terraform.warm.host import Package
from orchestrator.terraform.warm.instances import Instances, ProviderPool
from orchestrator.terraform.warm.packages import ChecksumCache, ProviderPackage, find_packages
from orchestrator.terraform.warm.paths import RelativePaths
from orchestrator.terraform.warm.provider import Provider
from orchestrator.terraform.warm.schema import words_in_code
from orchestrator.terraform.warm.shared import HostClient, SharedInstances

# Terraform opens a dozen connections, each with calls that wait for one another.
_THREADS = 128
# Differ from stack to stack or from terminal to terminal, and mean nothing to a provider.
_NOT_FOR_PROVIDERS = frozenset({"TF_DATA_DIR", "TF_REATTACH_PROVIDERS", "TERM", "TMPDIR"})
# The beginnings of variables that are Terraform's own, or words of the system and no paths.
_NO_PATHS = ("TF_", "CHECKPOINT_", "OPENTOFU_", "LANG", "LC_", "LOGNAME", "TERM", "TZ", "USER", "GO")
CHECKSUMS = "provider-checksums.json"


@dataclass(frozen=True)
class HostOptions:
    """Where the provider host listens, and for how many seconds it keeps what no run uses."""

    folder: Path
    idle_limit: float


@dataclass
class Attachment:
    """What attaches one command: the variable for its environment, and afterwards whether it went well."""

    env: Mapping[str, str] = field(default_factory=dict)
    gateways: tuple[Gateway, ...] = ()

    def problem(self, output: bytes, *, ok: bool) -> str:
        """Why the command is to be run again without shared providers; empty when it is not.

        `output` is what it printed: a type that was left out of the schema shows in an error by its name.
        """
        problem = next((gateway.problem for gateway in self.gateways if gateway.problem), "")
        if problem or ok:
            return problem
        omitted = (name for gateway in self.gateways for name in gateway.omitted)
        name = next((name for name in omitted if name in output), None)
        return f"{name.decode('utf-8', 'replace')} was not expected" if name else ""


class WarmProviders:
    """The providers of one run; safe from many threads. `report` gets why a stack does without them.

    With a `host` their processes are those of the provider host, and stay there after the run.
    """

    def __init__(
        self,
        cache: Path,
        report: Callable[[str], None] = lambda text: None,
        host: HostOptions | None = None,
    ) -> None:
        self._report = report
        self._host = host
        self._client: HostClient | None = None
        self._checksums = ChecksumCache(cache / CHECKSUMS)
        self._lock = threading.Lock()
        self._programs = BackgroundPrograms()
        self._instances: dict[Package, Instances[Provider]] = {}
        self._shared: dict[Package, SharedInstances] = {}
        self._folder: Path | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._cold: set[Path] = set()
        self._closed = False

    @contextmanager
    def attach(
        self, root: Path, data_dir: Path, env: Mapping[str, str], *, whole_schema: bool = False
    ) -> Iterator[Attachment]:
        """Attach one command to the providers of a stack; to none where that cannot be done safely."""
        with ExitStack() as stack:
            attachment = Attachment()
            try:
                gateways = self._gateways(stack, root, data_dir, env, whole_schema=whole_schema)
                if gateways:
                    attachment = Attachment(self._variable(env, gateways), tuple(gateways.values()))
            except (OSError, InfraError, ValueError) as error:
                self.note_problem(root, str(error))
            yield attachment

    def note_problem(self, root: Path, problem: str) -> None:
        """Use no shared providers for a stack any more, and report why."""
        with self._lock:
            self._cold.add(root)
        self._report(f"{root.name} is planned with providers of its own: {problem}")

    def close(self) -> None:
        """End every provider."""
        with self._lock:
            self._closed = True
            instances = list(self._instances.values())
            self._instances.clear()
            self._shared.clear()
            client, self._client = self._client, None
            pool, folder = self._pool, self._folder
        for provider_instances in instances:
            provider_instances.close()
        self._programs.close()
        if client is not None:
            client.close()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _gateways(
        self,
        stack: ExitStack,
        root: Path,
        data_dir: Path,
        env: Mapping[str, str],
        *,
        whole_schema: bool,
    ) -> dict[str, Gateway]:
        lock_file = root / LOCK_FILE
        if root in self._cold or self._closed or not lock_file.is_file() or not _is_possible(env, root):
            return {}
        with self._lock:
            packages = find_packages(lock_file.read_bytes(), data_dir / "providers", self._checksums)
        attached = json.loads(env.get("TF_REATTACH_PROVIDERS") or "{}")
        packages = tuple(package for package in packages if package.source not in attached)
        if not packages:
            return {}
        words = None if whole_schema else words_in_code(root, data_dir)
        gateways = {}
        for package in packages:
            instances, pool, folder = self._instances_of(package, env)
            gateway = Gateway(instances, pool, root, words, folder)
            stack.callback(gateway.close)
            gateways[package.source] = gateway
        return gateways

    def _variable(self, env: Mapping[str, str], gateways: Mapping[str, Gateway]) -> dict[str, str]:
        document = json.loads(env.get("TF_REATTACH_PROVIDERS") or "{}")
        for source, gateway in gateways.items():
            document[source] = {
                "Protocol": "grpc",
                "ProtocolVersion": gateway.protocol,
                # Terraform kills this process when the address does not answer.
                "Pid": self._programs.guard_pid,
                "Test": True,
                "Addr": gateway.address,
            }
        return {"TF_REATTACH_PROVIDERS": json.dumps(document, separators=(",", ":"))}

    def _instances_of(
        self, package: ProviderPackage, env: Mapping[str, str]
    ) -> tuple[ProviderPool, ThreadPoolExecutor, Path]:
        """The processes of a package in an environment. Nothing in which two stacks differ is shared."""
        provider_env = {name: value for name, value in env.items() if name not in _NOT_FOR_PROVIDERS}
        key = Package(
            source=package.source,
            version=package.version,
            program=str(package.program),
            checksum=package.checksum,
            account=account_identity(provider_env),
            env=tuple(sorted(provider_env.items())),
        )
        with self._lock:
            if self._pool is None or self._folder is None:
                # Short: the path of a socket may have a hundred characters.
                base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
                self._folder = Path(tempfile.mkdtemp(prefix="infra-", dir=base))
                self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="warm")
            folder = self._folder
            if key not in self._instances:
                # The provider's socket and temporary files lie where no other user gets.
                started_env = {**provider_env, "TMPDIR": str(folder), "PLUGIN_UNIX_SOCKET_DIR": str(folder)}
                empty = folder / "empty"
                empty.mkdir(mode=0o700, exist_ok=True)
                self._instances[key] = Instances(
                    lambda: Provider(self._programs, package.program, started_env, empty)
                )
            own = self._instances[key]
            client = self._host_client()
            if client is None:
                return own, self._pool, folder
            if key not in self._shared:
                self._shared[key] = SharedInstances(client, key, own, self._report)
            return self._shared[key], self._pool, folder

    def _host_client(self) -> HostClient | None:
        """The lease of the provider host; None without one, or when it cannot be had."""
        if self._client is None and self._host is not None:
            try:
                self._client = HostClient(self._host.folder, self._host.idle_limit)
            except (OSError, InfraError) as error:
                self._host = None
                self._report(f"Providers run for this run alone: {error}")
        return self._client


def can_share_providers() -> bool:
    """Whether gRPC is installed, with the extra `warm`."""
    return importlib.util.find_spec("grpc") is not None


def _is_possible(env: Mapping[str, str], root: Path) -> bool:
    """Whether a stack's providers can be shared at all.

    Not without gRPC, where the CLI configuration names providers under development, or where a variable names
    a file of the stack's folder.
    """
    if not can_share_providers():
        return False
    if has_development_overrides(env):
        return False
    paths = RelativePaths(root)
    return not any(
        paths.names_something(value) for name, value in env.items() if not name.startswith(_NO_PATHS)
    )
