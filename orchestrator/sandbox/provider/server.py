"""The provider process's servers: any number of providers and worlds, a port on 127.0.0.1 for each pair."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox.schemas import RecordedSchemas, source_address
from orchestrator.sandbox.world.world import Clock, World, utc_now

if TYPE_CHECKING:
    from orchestrator.sandbox.gcs.store import GcsStore

_REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
_THREADS = 32
_SMALL = 50  # a provider with no more types than this is served whole
_LARGEST_MESSAGE = 64 * 2**20


def reattach_config(servers: Mapping[str, int], sentinel_pid: int) -> str:
    """The value of TF_REATTACH_PROVIDERS. Terraform kills `sentinel_pid` when a port does not answer."""
    document = {}
    for source, port in sorted(servers.items()):
        host, _, name = source_address(source).partition("/")
        for registry in _REGISTRIES if host in _REGISTRIES else (host,):
            document[f"{registry}/{name}"] = {
                "Protocol": "grpc",
                "ProtocolVersion": 6,
                "Pid": sentinel_pid,
                "Test": True,
                "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
            }
    return json.dumps(document)


class ServedTypes:
    """The types of one provider that are in use, and the schema that describes them. The set only grows."""

    def __init__(self, schemas: RecordedSchemas, source: str) -> None:
        self.schema = schemas.find(source)
        everything = len(self.schema.resource_types) + len(self.schema.data_source_types)
        self._resources = self.schema.resource_types if everything <= _SMALL else frozenset[str]()
        self._data_sources = self.schema.data_source_types if everything <= _SMALL else frozenset[str]()
        self._lock = threading.Lock()
        self._wire: bytes | None = None

    def add(self, resources: Iterable[str], data_sources: Iterable[str]) -> None:
        """Serve these too. A type that was not recorded is left out, and Terraform says so."""
        with self._lock:
            grown = (self._resources | frozenset(resources), self._data_sources | frozenset(data_sources))
            if grown != (self._resources, self._data_sources):
                self._resources, self._data_sources = grown
                self._wire = None

    def wire(self) -> bytes:
        """The answer to GetProviderSchema."""
        with self._lock:
            if self._wire is None:
                self._wire = self.schema.wire(self._resources, self._data_sources)
            return self._wire


class ProviderServer:
    """Serves every recorded provider. `world_root` holds the worlds, one folder each.

    `store` is the GCS server's: then buckets and their objects live there. `defaults` are the `project`,
    `region` and `zone` of provider blocks that name none.
    """

    def __init__(
        self,
        world_root: Path,
        schemas: RecordedSchemas,
        store: GcsStore | None = None,
        *,
        defaults: Mapping[str, str] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._world_root = world_root
        self._schemas = schemas
        self._store = store
        self._defaults = defaults or {}
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None
        self._types: dict[str, ServedTypes] = {}
        self._open: dict[str, dict[str, int]] = {}
        self._servers: list[Any] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        """Read the schemas and get ready to open worlds."""
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="provider")
        self._take_schemas()

    def serve_types(self, provider: str, resources: Iterable[str], data_sources: Iterable[str] = ()) -> None:
        """Serve these types of a provider too, from its next schema on."""
        address = source_address(provider)
        if address not in self._types:
            self._schemas.find(address)
            self._take_schemas()
        self._types[address].add(resources, data_sources)

    def world(self, name: str) -> World:
        """A world of this server, as its providers see it."""
        stored = None
        if self._store is not None:
            from orchestrator.sandbox.world.buckets import WorldBuckets

            stored = WorldBuckets(self._store)
        return World(self._world_root / name, stored=stored, clock=self._clock)

    def open(self, world: str) -> dict[str, int]:
        """The port of each provider in a world, by source address.

        Ports that are open stay; a provider that was recorded meanwhile gets one too.
        """
        from orchestrator.sandbox.provider.service import Service

        with self._lock:
            if self._pool is None:
                raise SandboxError("the provider server is not running", advice="Start it first.")
            ports, resources = self._open.setdefault(world, {}), self.world(world)
            for source, types in list(self._types.items()):
                if source not in ports:
                    ports[source] = self._listen(Service(types.schema, resources, types.wire, self._defaults))
            return dict(ports)

    def close(self) -> None:
        """Stop serving; calls under way get a moment to end."""
        with self._lock:
            stopping = [server.stop(grace=0.5) for server in self._servers]
            for event in stopping:
                event.wait()
            self._servers.clear()
            self._open.clear()
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None

    def _take_schemas(self) -> None:
        for source in self._schemas.sources():
            if source not in self._types:
                self._types[source] = ServedTypes(self._schemas, source)

    def _listen(self, service: Any) -> int:
        import grpc

        server = grpc.server(
            self._pool,
            handlers=[service.handler()],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
                ("grpc.max_send_message_length", _LARGEST_MESSAGE),
            ],
        )
        port: int = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self._servers.append(server)
        return port
