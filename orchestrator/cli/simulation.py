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
from orchestrator.cli.context import App
from orchestrator.cli.sandbox_needs import HARMLESS, sandbox_folder
from orchestrator.errors import SandboxError

if TYPE_CHECKING:
    from orchestrator.project.model import Project
    from orchestrator.repository.facts import Types
    from orchestrator.sandbox.provider.server import ProviderServer

NEEDED = ("grpc", "msgpack", "tf")


@dataclass(frozen=True)
class Simulated:
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
    app: App, project: Project, types: Types, *, wanted: bool
) -> Iterator[Simulated | None]:
    """Serve what `types` name until the end of the block; None when nothing simulated is wanted.

    Within `infra sandbox exec` it is wanted: the sandbox serves the types of stacks alone.
    SandboxError when a provider in use has no recorded schema and would reach a cloud.
    """
    if not (wanted or app.environ.get("INFRA_SANDBOX")):
        yield None
        return
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SandboxError(
            f"Simulated providers need packages that are not installed: {', '.join(missing)}.",
            advice="pip install 'infra-orchestrator[sandbox]'",
        )
    from orchestrator.sandbox.provider.server import ProviderServer
    from orchestrator.sandbox.schemas import Schemas, source_address
    from orchestrator.sandbox.sentinel import Sentinel

    folder = sandbox_folder(app, None) / "schemas"
    schemas = Schemas([folder])
    sources = {source_address(one) for one in types.providers}
    unknown = sorted(sources - set(schemas.sources()) - HARMLESS)
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
                known = schemas.find(source)
                server.serve_types(
                    source,
                    types.resources & known.resource_types,
                    types.data_sources & known.data_source_types,
                )
            yield Simulated(server, sentinel.pid, recorded_in(folder))
        finally:
            server.close()
            sentinel.close()


def recorded_in(folder: Path) -> str:
    """A hash of the schemas in a folder, and of the version that plays them."""
    found = sorted(folder.glob("*.json.gz"))
    parts = [f"{path.name}\0{sha256(path.read_bytes()).hexdigest()}" for path in found]
    return sha256("\n".join(["simulated", __version__, *parts]).encode()).hexdigest()
