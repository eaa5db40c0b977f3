"""Brings the dataset up to date: the layers that a query needs, one environment a transaction."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from orchestrator import __version__
from orchestrator.config import Config
from orchestrator.engine.ledgers import local_folder
from orchestrator.engine.ownership import Ownership
from orchestrator.engine.ports import Progress
from orchestrator.engine.states import EMULATOR
from orchestrator.insight.code_rows import EnvironmentSource, read_sources, refresh_code
from orchestrator.insight.dataset import Dataset
from orchestrator.insight.memory_rows import KnownObjects, LayerRows, MemoryReader
from orchestrator.insight.schema import INDEXES, MEMORY_LAYERS, NEEDS, TABLES, Layer
from orchestrator.insight.state_rows import StateRules
from orchestrator.masking import Masker
from orchestrator.repository.git import Repository
from orchestrator.repository.model import Project
from orchestrator.state.factory import open_bucket
from orchestrator.state.folder import Files, Folder
from orchestrator.state.location import Location
from orchestrator.state.storage import Storage

# Environments that are read side by side, and requests that may be under way at once.
ENVIRONMENTS = 4
REQUESTS = 32
DEFAULT_DAYS = 90.0

OpenBucket = Callable[[Location, Mapping[str, str]], Storage]


@dataclass(frozen=True)
class ReadEnvironment:
    """An environment that was read, as progress has it; `reason` says why something could not be."""

    id: str
    result: str
    reason: str = ""
    seconds: float = 0.0


def origin_of_dataset(repository: Repository, config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """What rows depend on beside the objects: another cloud or other rules of masking make the file again."""
    return {
        "infra": __version__,
        "tables": hashlib.sha256(repr((TABLES, INDEXES)).encode()).hexdigest(),
        "root": str(repository.root),
        "local": str(local_folder(repository.root, environ)),
        "cloud": environ.get("INFRA_SANDBOX") or environ.get(EMULATOR, ""),
        "masking": repr(config.masking),
        "values": repr(config.insight.values),
    }


def _needed_layers(layers: Collection[Layer]) -> tuple[Layer, ...]:
    """Layers with those that they need, in the order in which they are read."""
    needed = {needed for layer in layers for needed in NEEDS[layer]}
    return tuple(layer for layer in MEMORY_LAYERS if layer in needed)


class Refresher:
    """Reads what is new into the dataset of a repository. `load` reads its project where a file changed."""

    def __init__(
        self,
        dataset: Dataset,
        repository: Repository,
        config: Config,
        environ: Mapping[str, str],
        *,
        load: Callable[[], Project],
        progress: Progress,
        open_bucket: OpenBucket = open_bucket,
    ) -> None:
        self._dataset = dataset
        self._repository = repository
        self._environ = environ
        self._load = load
        self._progress = progress
        self._open_bucket = open_bucket
        self._rules = StateRules(Masker(config.masking), config.insight.values, dataset.hash_key)
        self._ownership = Ownership(repository, environ)
        self._files = Files()
        self._local = Folder(local_folder(repository.root, environ))
        self._buckets: dict[str, Storage] = {}
        self._lock = threading.Lock()

    def refresh(self, layers: Collection[Layer], *, days: float = DEFAULT_DAYS) -> None:
        """Reads some layers, runs as far back as `days`. What cannot be read is noted in the dataset."""
        refresh_code(self._dataset, self._repository, self._environ, self._load)
        needed = _needed_layers(layers)
        sources = read_sources(self._dataset, self._repository.root)
        if not needed or not sources:
            return
        self._progress.begin([source.name for source in sources])
        try:
            self._read(sources, needed, days)
        finally:
            self._progress.end()

    def _read(self, sources: list[EnvironmentSource], layers: tuple[Layer, ...], days: float) -> None:
        known = {source.name: self._known(source.name) for source in sources}
        with ThreadPoolExecutor(REQUESTS) as pool, ThreadPoolExecutor(ENVIRONMENTS) as environments:

            def read(source: EnvironmentSource) -> tuple[str, dict[Layer, LayerRows], str]:
                reader = MemoryReader(
                    source,
                    known[source.name],
                    storage=self._storage,
                    files=self._files,
                    ownership=self._ownership,
                    rules=self._rules,
                    days=days,
                    pool=pool,
                    notify=lambda text: self._progress.doing(source.name, text),
                )
                with_attributes = "attributes" in layers
                read_rows: dict[Layer, LayerRows] = {
                    layer: reader.read(layer, with_attributes=with_attributes)
                    for layer in layers
                    if layer != "attributes"
                }
                return source.name, read_rows, reader.read_at()

            for future in as_completed([environments.submit(read, source) for source in sources]):
                name, rows, read_at = future.result()
                self._write(name, rows, read_at)
                problem = next((layer.problem for layer in rows.values() if layer.problem), "")
                self._progress.done(ReadEnvironment(name, "not visible" if problem else "read", problem))

    def _write(self, environment: str, layers: Mapping[Layer, LayerRows], read_at: str) -> None:
        """All that was read of an environment, in one transaction."""
        with self._dataset.transaction() as transaction:
            # What an earlier query could not read is not this one's concern.
            transaction.execute("DELETE FROM reading WHERE environment = ? AND problem <> ''", (environment,))
            for layer, rows in layers.items():
                if rows.clears:
                    transaction.clear(layer, environment)
                    if layer == "states":
                        transaction.clear("attributes", environment)
                for table, (column, values) in rows.removed.items():
                    transaction.delete(table, column, values, environment)
                for table, added in rows.rows.items():
                    transaction.insert(table, added)
                transaction.insert("reading", [(environment, layer, read_at, rows.problem)])

    def _known(self, environment: str) -> KnownObjects:
        def pairs(sql: str) -> dict[str, str]:
            return {str(key): str(value) for key, value in self._dataset.rows(sql, (environment,))}

        states = self._dataset.rows(
            "SELECT stack, generation, has_attributes FROM state WHERE environment = ?", (environment,)
        )
        return KnownObjects(
            states={str(stack): (str(generation), bool(has)) for stack, generation, has in states},
            runs=pairs("SELECT object, generation FROM run WHERE environment = ?"),
            months=frozenset(
                (str(folder), str(month))
                for folder, month in self._dataset.rows(
                    "SELECT folder, month FROM month WHERE environment = ?", (environment,)
                )
            ),
            journals=frozenset(pairs("SELECT object, run FROM journal WHERE environment = ?")),
            drift=pairs("SELECT object, generation FROM drift_record WHERE environment = ?"),
            attestations=pairs("SELECT object, generation FROM attestation WHERE environment = ?"),
            plans=pairs("SELECT stack, posted_at FROM plan WHERE environment = ?"),
            plan_attestations=frozenset(
                pairs("SELECT object, environment FROM plan_attestation WHERE environment = ?")
            ),
        )

    def _storage(self, location: Location | None) -> Storage:
        """The bucket of a location, None for this machine's own memory."""
        if location is None:
            return self._local
        with self._lock:
            if location.bucket not in self._buckets:
                self._buckets[location.bucket] = self._open_bucket(location, self._environ)
            return self._buckets[location.bucket]


def dataset_folder(root: Path) -> Path:
    """`.infra/cache`, made where it is not there yet."""
    from orchestrator.engine.folders import Folders

    folders = Folders(root)
    folders.prepare()
    return folders.cache
