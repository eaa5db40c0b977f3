"""Stands between one Terraform command and a provider's running processes.

Terraform is attached to it as to a provider, and opens a connection of its own for each provider instance:
schema and validation on some, each configured instance on one that carries its configuration. So a
connection is bound to the process with the configuration that came over it, and no other one reaches it.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.terraform.warm.instances import Call, CallableProvider, ProviderPool
from orchestrator.terraform.warm.paths import RelativePaths
from orchestrator.terraform.warm.provider import UNLIMITED_MESSAGES
from orchestrator.terraform.warm.schema import IDENTITY_MAPS, SCHEMA_MAPS, cut_schema

if TYPE_CHECKING:
    import grpc

# Linux's tables of connections, with the user of each. An address of IPv4 may stand in that of IPv6.
_CONNECTIONS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LOOPBACK = re.compile(r"(?:0{16}FFFF0000)?0100007F:([0-9A-F]{4})")
_SCHEMAS = {
    "GetSchema": SCHEMA_MAPS,
    "GetProviderSchema": SCHEMA_MAPS,
    "GetResourceIdentitySchemas": IDENTITY_MAPS,
}
_VALIDATIONS = frozenset({"PrepareProviderConfig", "ValidateProviderConfig"})
_CONFIGURATIONS = frozenset({"Configure", "ConfigureProvider"})
_STOPS = frozenset({"Stop", "StopProvider"})
# Only an apply calls these, and an apply is never attached; streams are not passed on.
_REFUSED = frozenset(
    {"ApplyResourceChange", "InvokeAction", "ListResource", "ReadStateBytes", "WriteStateBytes"}
)
_PROVIDER_SERVICES = ("/tfplugin5.Provider/", "/tfplugin6.Provider/")


class Gateway:
    """One provider of one Terraform command.

    `words` are those of the stack's code, None for the whole schema. `problem` says why the command is to be
    run again without it, empty as long as all went well.
    """

    def __init__(
        self,
        instances: ProviderPool,
        pool: ThreadPoolExecutor,
        root: Path,
        words: frozenset[bytes] | None,
        folder: Path,
        connections: Sequence[Path] = _CONNECTIONS,
    ) -> None:
        import grpc

        # Starts the process, which says which version of the protocol it speaks.
        self.protocol = instances.unconfigured().protocol
        self._instances = instances
        self._words = words
        self._paths = RelativePaths(root)
        self._connections = connections
        self._lock = threading.Lock()
        self._bound: dict[str, tuple[bytes, CallableProvider]] = {}
        self._allowed: set[str] = set()
        self._calls: set[Call] = set()
        self.problem = ""
        self.omitted: frozenset[bytes] = frozenset()
        self._server = grpc.server(
            pool, handlers=[_handler(self._answer)], options=[*UNLIMITED_MESSAGES, ("grpc.so_reuseport", 0)]
        )
        self.address = self._listen(folder)
        self._server.start()

    def _listen(self, folder: Path) -> dict[str, str]:
        """Where Terraform finds us.

        Only TCP tells connections apart, and only where the system names their owner. Elsewhere all that
        comes through a socket in our own folder is one connection, which has room for one configuration.
        """
        if any(path.exists() for path in self._connections):
            self._port: int = self._server.add_insecure_port("127.0.0.1:0")
            return {"Network": "tcp", "String": f"127.0.0.1:{self._port}"}
        path = folder / f"{id(self):x}"
        self._port = 0
        self._server.add_insecure_port(f"unix:{path}")
        return {"Network": "unix", "String": str(path)}

    def close(self) -> None:
        """Take no more calls, and give up those under way."""
        self._server.stop(grace=None).wait()

    def _answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Answer one call; whatever goes wrong ends the command, which is then run again without us."""
        import grpc

        name = method.rpartition("/")[2]
        try:
            self._require_own_process(context.peer())
            return self._respond(method, name, request, context)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            self._fail(f"{name}: {details or code}")
            context.abort(code, details or "the provider failed")
        except Exception as error:
            self._fail(f"{name}: {error}")
            context.abort(
                grpc.StatusCode.UNAVAILABLE, "infra runs this command again without a shared provider"
            )
        raise AssertionError("abort raises")

    def _respond(self, method: str, name: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        peer = context.peer()
        if name in _STOPS:
            # The process works for others too: only what this command waits for is given up.
            self._cancel()
            return b""
        if name in _REFUSED:
            raise RuntimeError("an apply never uses a shared provider")
        if name in _SCHEMAS:
            return self._schema(method, request, _SCHEMAS[name])
        path = self._paths.first_in(request)
        if path is not None:
            raise RuntimeError(f"{path!r} may be a file of the stack's folder")
        if name in _CONFIGURATIONS:
            return self._configure(method, request, peer)
        with self._lock:
            bound = self._bound.get(peer)
        if bound is None and name in _VALIDATIONS:
            return self._instances.answer(method, request)
        provider = bound[1] if bound else self._instances.unconfigured()
        return self._forward(provider, method, request, context)

    def _schema(self, method: str, request: bytes, maps: frozenset[int]) -> bytes:
        response = self._instances.answer(method, request)
        if self._words is None:
            return response
        cut = cut_schema(response, self._words, maps)
        with self._lock:
            self.omitted |= cut.omitted
        return cut.response

    def _configure(self, method: str, request: bytes, peer: str) -> bytes:
        with self._lock:
            bound = self._bound.get(peer)
        if bound is not None and bound[0] != request:
            raise RuntimeError("a second configuration came over one connection")
        provider, response = self._instances.configured(method, request)
        with self._lock:
            self._bound[peer] = (request, provider)
        return response

    def _forward(
        self, provider: CallableProvider, method: str, request: bytes, context: grpc.ServicerContext
    ) -> bytes:
        call = provider.call(method, request)
        with self._lock:
            self._calls.add(call)
        # Terraform that is killed, or gives up, gives up what it waits for.
        context.add_callback(call.cancel)
        try:
            return call.result()
        except BaseException:
            self._instances.discard(provider)
            raise
        finally:
            with self._lock:
                self._calls.discard(call)

    def _cancel(self) -> None:
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()

    def _fail(self, problem: str) -> None:
        with self._lock:
            self.problem = self.problem or problem

    def _require_own_process(self, peer: str) -> None:
        """Raise PermissionError for a connection that another user's process opened."""
        if self._port and peer not in self._allowed:
            tables = (path.read_text() for path in self._connections if path.exists())
            if not any(owns_connection(table, peer, self._port, os.getuid()) for table in tables):
                raise PermissionError("the connection is another user's")
            with self._lock:
                self._allowed.add(peer)


def owns_connection(table: str, peer: str, port: int, user: int) -> bool:
    """Whether `user` opened the connection from `peer` (`ipv4:127.0.0.1:PORT`) to our port.

    `table` is the content of /proc/net/tcp or /proc/net/tcp6.
    """
    try:
        client = int(peer.rpartition(":")[2])
    except ValueError:
        return False
    for line in table.splitlines()[1:]:
        columns = line.split()
        with contextlib.suppress(IndexError, ValueError):
            if _port(columns[1]) == client and _port(columns[2]) == port:
                return int(columns[7]) == user
    return False


def _port(address: str) -> int | None:
    """The port of an address of this machine; None for any other."""
    match = _LOOPBACK.fullmatch(address)
    return int(match[1], 16) if match else None


def _handler(answer: Callable[[str, bytes, Any], bytes]) -> Any:
    """A handler of every call of the plugin protocol, with messages as bytes."""
    import grpc

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        """Serves the two versions of the provider's service."""

        def service(self, call: Any) -> Any:
            """The handler of one method; None for the services of go-plugin, which Terraform does without."""
            method = str(call.method)
            if not method.startswith(_PROVIDER_SERVICES):
                return None
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: answer(method, request, context),
                request_deserializer=None,
                response_serializer=None,
            )

    return Handler()
