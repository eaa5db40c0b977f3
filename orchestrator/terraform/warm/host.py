"""A process of the user's own that keeps providers running between runs, and ends by itself.

It starts, configures and ends the providers' processes; runs call these directly. A run says which package it
needs, with the environment, and gets the address of a process that no run with anything else was given. Its
lease is a connection: when the run ends, also by a kill, what it used is free again.

    python -P -m orchestrator.terraform.warm.host FOLDER
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.errors import InfraError, ProcessError
from orchestrator.jsontext import MALFORMED
from orchestrator.process import started_at
from orchestrator.terraform.warm.host_folder import folder_lock, socket_path
from orchestrator.terraform.warm.instances import Instances, RunningProvider
from orchestrator.terraform.warm.messages import receive, send
from orchestrator.terraform.warm.provider import ProviderUsage, now

READY = b"ready"
# Processes of providers at most: each may hold 2 GiB.
MOST_PROCESSES = 12
# Seconds between two looks at what is idle.
_TICK = 1.0
_BACKLOG = 128
_PROVIDERS = "providers-"


class HostedProvider(RunningProvider, Protocol):
    """A provider's process that others call at its address."""

    calls_of_others: int

    @property
    def target(self) -> str:
        """Where it listens, as gRPC writes it."""

    def usage(self) -> ProviderUsage:
        """What it has done until now."""


@dataclass(frozen=True)
class Package:
    """What a run asks for; two that differ in anything never share a process.

    `account` is the identity of the files with credentials, `env` the whole environment.
    """

    source: str
    version: str
    program: str
    checksum: str
    account: tuple[str, ...]
    env: tuple[tuple[str, str], ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Package:
        """Of a message; raises one of MALFORMED."""
        return cls(
            source=str(document["source"]),
            version=str(document["version"]),
            program=str(document["program"]),
            checksum=str(document["checksum"]),
            account=tuple(map(str, document["account"])),
            env=tuple(sorted((str(name), str(value)) for name, value in document["env"].items())),
        )

    def document(self) -> dict[str, Any]:
        """For a message."""
        return {
            "source": self.source,
            "version": self.version,
            "program": self.program,
            "checksum": self.checksum,
            "account": list(self.account),
            "env": dict(self.env),
        }


StartProvider = Callable[[Package], HostedProvider]


@dataclass
class _Hosted:
    """The processes of one package, and since when nobody has used them."""

    package: Package
    instances: Instances[HostedProvider]
    idle_limit: float
    used_at: float
    runs: set[str] = field(default_factory=set)


class ProviderTable:
    """Which processes there are, who uses them, and which have been idle for too long. For many threads.

    A run is named by the id that `open_run` gives.
    """

    def __init__(self, start: StartProvider, clock: Callable[[], float] = now) -> None:
        self._start = start
        self._clock = clock
        self._lock = threading.RLock()
        self._packages: dict[Package, _Hosted] = {}
        self._runs: dict[str, set[HostedProvider]] = {}
        self._starting = 0
        self._busy_at = clock()

    def open_run(self) -> str:
        """Note that a run has begun."""
        with self._lock:
            run = secrets.token_hex(8)
            self._runs[run] = set()
            return run

    def close_run(self, run: str, calls: Mapping[str, int]) -> None:
        """Free what a run has used. `calls` are how often it called the process at an address."""
        with self._lock:
            for provider in self._runs.pop(run, ()):
                provider.calls_of_others += calls.get(provider.target, 0)
            self._busy_at = self._clock()
            for hosted in self._packages.values():
                if run in hosted.runs:
                    hosted.runs.discard(run)
                    hosted.used_at = self._clock()
        self.tidy()

    def instances(self, run: str, package: Package, idle_limit: float) -> Instances[HostedProvider]:
        """The processes of a package, for a run that is open."""
        with self._lock:
            if run not in self._runs:
                raise ValueError("the run is not open")
            hosted = self._packages.get(package)
            if hosted is None:
                hosted = _Hosted(
                    package, Instances(lambda: self._start_one(package)), idle_limit, self._clock()
                )
                self._packages[package] = hosted
            hosted.idle_limit = idle_limit
            hosted.runs.add(run)
            return hosted.instances

    def hand_out(self, run: str, provider: HostedProvider) -> None:
        """Note that a run uses a process."""
        with self._lock:
            if run in self._runs:
                self._runs[run].add(provider)

    def handed_out(self, run: str, target: str) -> HostedProvider | None:
        """The process at an address that a run uses."""
        with self._lock:
            return next((each for each in self._runs.get(run, ()) if each.target == target), None)

    def tidy(self) -> None:
        """End what has been idle for too long, and processes that were replaced and that nobody uses."""
        with self._lock:
            at = self._clock()
            idle = [
                hosted
                for hosted in self._packages.values()
                if not hosted.runs and at - hosted.used_at >= hosted.idle_limit
            ]
            for hosted in idle:
                del self._packages[hosted.package]
            in_use = [provider for providers in self._runs.values() for provider in providers]
            others = list(self._packages.values())
        for hosted in idle:
            hosted.instances.close()
        for hosted in others:
            hosted.instances.prune(in_use)

    @property
    def is_idle(self) -> bool:
        """Whether no run is open and no process is left."""
        with self._lock:
            return not self._runs and not self._packages

    def status(self) -> list[dict[str, Any]]:
        """Each process, without its environment and configuration."""
        with self._lock:
            at = self._clock()
            return [
                {
                    "source": hosted.package.source,
                    "version": hosted.package.version,
                    "checksum": hosted.package.checksum,
                    "pid": usage.pid,
                    "seconds": round(usage.seconds, 1),
                    "calls": usage.calls,
                    "memory_kib": usage.memory_kib,
                    "runs": len(hosted.runs),
                    "ends_in_seconds": None
                    if hosted.runs
                    else round(max(0.0, hosted.used_at + hosted.idle_limit - at), 1),
                }
                for hosted in self._packages.values()
                for usage in (provider.usage() for provider in hosted.instances.running())
            ]

    def close(self) -> None:
        """End every process."""
        with self._lock:
            packages, self._packages = list(self._packages.values()), {}
        for hosted in packages:
            hosted.instances.close()

    def _start_one(self, package: Package) -> HostedProvider:
        with self._lock:
            self._make_room()
            self._starting += 1
        try:
            return self._start(package)
        finally:
            with self._lock:
                self._starting -= 1

    def _make_room(self) -> None:
        """End what was idle for longest while the table is full; ProcessError when all is in use."""
        idle = sorted((each for each in self._packages.values() if not each.runs), key=lambda h: h.used_at)
        while self._count() >= MOST_PROCESSES:
            if not idle:
                raise ProcessError(f"{MOST_PROCESSES} processes of providers are in use already.")
            hosted = idle.pop(0)
            del self._packages[hosted.package]
            hosted.instances.close()

    def _count(self) -> int:
        return self._starting + sum(len(each.instances.running()) for each in self._packages.values())


class Host:
    """Answers runs over a Unix socket until nothing is left to do, or it is asked to stop.

    `clean_up` is called at the end, before whoever stopped it learns of that.
    """

    def __init__(
        self,
        listener: socket.socket,
        folder: Path,
        table: ProviderTable,
        clean_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._listener = listener
        self._folder = folder
        self._table = table
        self._clean_up = clean_up
        self._stopping = threading.Event()
        self._ended = threading.Event()

    def serve(self) -> None:
        """Answer until the end; the socket is gone then."""
        self._listener.settimeout(_TICK)
        try:
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    self._accept()
                    continue
                self._table.tidy()
                if self._table.is_idle and self._leave():
                    return
        finally:
            Path(self._listener.getsockname()).unlink(missing_ok=True)
            self._listener.close()
            self._table.close()
            self._clean_up()
            self._ended.set()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(None)
        threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _leave(self) -> bool:
        """Whether no run is about to connect: a run that does holds the lock of the folder."""
        with folder_lock(self._folder, wait=False) as is_ours:
            if not is_ours:
                return False
            self._listener.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                self._accept()
                self._listener.settimeout(_TICK)
                return False
            Path(self._listener.getsockname()).unlink(missing_ok=True)
            return True

    def _attend(self, connection: socket.socket) -> None:
        run = ""
        calls: dict[str, int] = {}
        with connection, contextlib.suppress(EOFError, OSError, ValueError):
            _require_own_user(connection)
            try:
                while True:
                    header, body = receive(connection)
                    if header.get("operation") == "open":
                        run = run or self._table.open_run()
                        send(connection, {"run": run, "pid": os.getpid()})
                    elif header.get("operation") == "close":
                        calls = {str(key): int(value) for key, value in header["calls"].items()}
                    else:
                        send(connection, *self._answer(header, body))
                    if header.get("operation") == "stop":
                        # The end of the connection says that nothing is left.
                        self._ended.wait()
                        return
            finally:
                if run:
                    self._table.close_run(run, calls)

    def _answer(self, header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """The answer to one request; what goes wrong is said in `error`."""
        import grpc

        try:
            return self._respond(header, body)
        except grpc.RpcError as error:
            return {"error": f"the provider failed: {error.code()}"}, b""
        except InfraError as error:
            return {"error": error.message}, b""
        except (OSError, *MALFORMED) as error:
            return {"error": f"{type(error).__name__}: {error}"}, b""

    def _respond(self, header: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        operation = header["operation"]
        if operation == "status":
            return {"pid": os.getpid(), "providers": self._table.status()}, b""
        if operation == "stop":
            self._stopping.set()
            return {"pid": os.getpid()}, b""
        run = str(header["run"])
        package = Package.from_document(header["package"])
        instances = self._table.instances(run, package, float(header["idle"]))
        if operation == "unconfigured":
            return self._hand_out(run, instances.unconfigured()), b""
        if operation == "answer":
            return {}, instances.answer(str(header["method"]), body)
        if operation == "configured":
            provider, answer = instances.configured(str(header["method"]), body, str(header["files"]))
            return self._hand_out(run, provider), answer
        if operation == "discard":
            failed = self._table.handed_out(run, str(header["target"]))
            if failed is not None:
                instances.discard(failed)
            return {}, b""
        raise ValueError(f"there is no operation {operation!r}")

    def _hand_out(self, run: str, provider: Any) -> dict[str, Any]:
        self._table.hand_out(run, provider)
        return {"target": provider.target, "protocol": provider.protocol}


def _require_own_user(connection: socket.socket) -> None:
    """Raise PermissionError for a connection of another user, where the system names its owner."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        if struct.unpack("3i", credentials)[1] != os.getuid():
            raise PermissionError("the connection is another user's")


def _provider_folder(folder: Path) -> Path:
    """Where the sockets of our providers lie; those of hosts that were killed are removed."""
    for path in folder.glob(f"{_PROVIDERS}*"):
        number = path.name.removeprefix(_PROVIDERS)
        if number.isdigit() and started_at(int(number)) is None:
            shutil.rmtree(path, ignore_errors=True)
    return folder / f"{_PROVIDERS}{os.getpid()}"


def main(folder: Path) -> None:
    """Be the host of a folder; prints READY once it listens, in a process that nobody waits for."""
    if os.fork():
        os._exit(0)
    # Credentials are in memory.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    path = socket_path(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(_BACKLOG)
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

    from orchestrator.process import BackgroundPrograms
    from orchestrator.terraform.warm.provider import Provider

    programs = BackgroundPrograms()
    own = _provider_folder(folder)
    empty = own / "empty"
    empty.mkdir(parents=True)

    def start(package: Package) -> HostedProvider:
        env = {**dict(package.env), "TMPDIR": str(own), "PLUGIN_UNIX_SOCKET_DIR": str(own)}
        return Provider(programs, Path(package.program), env, empty)

    sys.stdout.buffer.write(READY + b"\n")
    sys.stdout.buffer.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)

    def clean_up() -> None:
        programs.close()
        shutil.rmtree(own, ignore_errors=True)

    Host(listener, folder, ProviderTable(start), clean_up).serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
