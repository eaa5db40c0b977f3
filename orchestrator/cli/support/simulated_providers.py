"""Simulated providers without a sandbox around them: served by this process, while a command runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.cli.app import App
from orchestrator.cli.support.sandbox_project import SAFE_PROVIDERS, sandbox_folder
from orchestrator.errors import SandboxError

if TYPE_CHECKING:
    from orchestrator.repository.facts import ProviderTypes
    from orchestrator.repository.model import Project
    from orchestrator.sandbox.provider.server import ProviderServer

NEEDED = ("grpc", "msgpack", "tf")


@dataclass(frozen=True)
class SimulatedProviders:
    """A running server of simulated providers; each module gets a world of its own."""

    server: ProviderServer
    sentinel: int
    identity: str

    def environment(self, module: str) -> Mapping[str, str]:
        """What attaches Terraform to the module's world."""
        from orchestrator.sandbox.provider.server import reattach_config

        world = sha256(module.encode()).hexdigest()[:16]
        return {"TF_REATTACH_PROVIDERS": reattach_config(self.server.open(world), self.sentinel)}


@contextmanager
def simulated_providers(
    app: App, project: Project, types: ProviderTypes, *, is_requested: bool
) -> Iterator[SimulatedProviders | None]:
    """Serve what `types` name until the end of the block; None when nothing simulated is wanted.

    Within `infra sandbox exec` it is wanted: the sandbox serves the types of stacks alone.
    SandboxError when a provider in use has no recorded schema and would reach a cloud.
    """
    if not (is_requested or app.environ.get("INFRA_SANDBOX")):
        yield None
        return
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SandboxError(
            f"Simulated providers need packages that are not installed: {', '.join(missing)}.",
            advice="pip install 'infra-orchestrator[sandbox]'",
        )
    from orchestrator.sandbox.provider.server import ProviderServer
    from orchestrator.sandbox.schemas import RecordedSchemas, source_address
    from orchestrator.sandbox.sentinel import Sentinel

    folder = sandbox_folder(app, None) / "schemas"
    schemas = RecordedSchemas([folder])
    sources = {source_address(provider) for provider in types.providers}
    unknown = sorted(sources - set(schemas.sources()) - SAFE_PROVIDERS)
    if unknown:
        raise SandboxError(
            f"There is no recorded schema of {', '.join(unknown)}.",
            advice="Record it where it can be installed, `infra sandbox record`, or leave --simulated away.",
        )
    with TemporaryDirectory(prefix="infra-worlds-") as worlds:
        server = ProviderServer(Path(worlds), schemas)
        sentinel = Sentinel()
        try:
            server.start()
            for source in sorted(sources & set(schemas.sources())):
                provider_schema = schemas.find(source)
                server.serve_types(
                    source,
                    types.resources & provider_schema.resource_types,
                    types.data_sources & provider_schema.data_source_types,
                )
            yield SimulatedProviders(server, sentinel.pid, _hash_schemas(folder))
        finally:
            server.close()
            sentinel.close()


def _hash_schemas(folder: Path) -> str:
    """A hash of the schemas in a folder, and of the version that plays them."""
    glob = sorted(folder.glob("*.json.gz"))
    parts = [f"{path.name}\0{sha256(path.read_bytes()).hexdigest()}" for path in glob]
    return sha256("\n".join(["simulated", __version__, *parts]).encode()).hexdigest()
