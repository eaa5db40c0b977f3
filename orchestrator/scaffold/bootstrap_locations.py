"""Where the states and the memory of each environment are, as the bootstrap's code takes them as values.

The bootstrap gives an environment's accounts rights in `ENV/` of its bucket. For environments that are
elsewhere (other prefixes, other buckets), `infra bootstrap` writes their folders to
`locations.auto.tfvars.json`.
"""

from __future__ import annotations

import itertools
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from orchestrator.atomic_files import path_below, write_text
from orchestrator.engine.ledgers import base_of, configured_location, memory_folder
from orchestrator.errors import ConfigError
from orchestrator.repository.hcl.text import Ref, literal, resolve
from orchestrator.repository.layout import BOOTSTRAP
from orchestrator.repository.model import Finding, Project
from orchestrator.repository.variables import root_scope
from orchestrator.state.backends import backend_kind
from orchestrator.state.location import Location

FILE = "locations.auto.tfvars.json"
VARIABLE = "locations"


@dataclass(frozen=True, order=True)
class BucketFolder:
    """A folder in a bucket, without a slash at its end; an empty name is the whole bucket."""

    bucket: str
    folder: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"gs://{self.bucket}/{self.folder}".rstrip("/")

    def object_name(self, name: str) -> str:
        """The name of an object in the folder."""
        return f"{self.folder}/{name}" if self.folder else name

    def contains(self, other: BucketFolder) -> bool:
        """Whether another folder is this one or is in it."""
        within = not self.folder or f"{other.folder}/".startswith(f"{self.folder}/")
        return self.bucket == other.bucket and within


@dataclass(frozen=True)
class EnvironmentLocations:
    """The folders of one environment: where it is remembered, and where its states are."""

    memory: tuple[BucketFolder, ...]
    states: tuple[BucketFolder, ...]

    @property
    def all(self) -> tuple[BucketFolder, ...]:
        """Both."""
        return (*self.memory, *self.states)


@dataclass(frozen=True)
class Locations:
    """The environments that are not in `ENV/` of the bootstrap's bucket.

    `existing_buckets` are those of their buckets that the bootstrap leaves as they are. `prefix` is the
    repository's own folder in the bootstrap's bucket; the other environments are below it.
    """

    environments: Mapping[str, EnvironmentLocations] = field(default_factory=dict)
    existing_buckets: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets of these environments."""
        folders = (folder for each in self.environments.values() for folder in each.all)
        return tuple(sorted({folder.bucket for folder in folders}))

    def of(self, environment: str, bucket: str) -> EnvironmentLocations:
        """The folders of an environment, where the bootstrap's own bucket is `bucket`."""
        return self.environments.get(environment) or _usual_locations(bucket, self.prefix, environment)

    def render(self) -> str:
        """The text of the file; empty where there is nothing to say."""
        if not self.environments:
            return ""
        document = {
            VARIABLE: {name: asdict(each) for name, each in sorted(self.environments.items())},
            "existing_buckets": sorted(self.existing_buckets),
        }
        return json.dumps(document, indent=2) + "\n"


def _usual_locations(bucket: str, prefix: str, environment: str) -> EnvironmentLocations:
    """Where the bootstrap's code expects an environment without being told."""
    base = posixpath.join(prefix, environment)
    return EnvironmentLocations((BucketFolder(bucket, base),), (BucketFolder(bucket, f"{base}/state"),))


def _find_environment_locations(project: Project, bucket: str) -> dict[str, EnvironmentLocations]:
    """The folders of every environment whose states are in a bucket, as infra.yaml and the code say it.

    A folder of states is the part of the configured prefix before `{stack}`, or else the one named after the
    environment, so that it fits new stacks as well; but where this holds what is another environment's, or
    the state of the bootstrap (in `bucket`), it is each stack's own folder.
    """
    config = project.config
    states: dict[str, list[Location]] = {}
    for stack in project.stacks.values():
        location = Location.parse(stack.state or "")
        if location.is_remote:
            states.setdefault(stack.environment, []).append(location)
    for name in config.environments:
        configured = configured_location(config, name)
        if name not in states and configured:
            states[name] = [Location(configured.bucket, f"{configured.name}/")]
    memory = {
        name: {
            BucketFolder(folder.bucket, folder.base)
            for each in locations
            if (folder := memory_folder(config, name, each))
        }
        for name, locations in states.items()
    }
    own = {
        name: {BucketFolder(each.bucket, posixpath.dirname(each.name)) for each in locations}
        for name, locations in states.items()
    }
    result = {}
    for name, folders in own.items():
        others = [other for other in own if other != name]
        foreign = [folder for other in others for folder in own[other] | memory[other]]
        foreign.append(BucketFolder(bucket, BOOTSTRAP))
        shared = _configured_folder(project, name)
        result[name] = EnvironmentLocations(
            tuple(sorted(memory[name])),
            tuple(sorted({_widest_folder(each, name, shared, foreign) for each in folders})),
        )
    return result


def _configured_folder(project: Project, environment: str) -> BucketFolder | None:
    """The folder of all states of an environment by its backend settings: what two names have in common."""
    backend = project.config.backend_of(environment)
    if backend is None or not backend.bucket or backend.kind is None:
        return None
    kind = backend_kind(backend.kind)
    first, second = (kind.folder(backend.settings(environment, name)) for name in ("a", "b"))
    if first is None or second is None or first.bucket != second.bucket:
        return None
    common = posixpath.commonprefix([_folders(first.name), _folders(second.name)])
    return BucketFolder(first.bucket, "/".join(common))


def _folders(name: str) -> list[str]:
    return name.rstrip("/").split("/")


def _widest_folder(
    own: BucketFolder, environment: str, configured: BucketFolder | None, foreign: Sequence[BucketFolder]
) -> BucketFolder:
    """The folder around a state's own one that is the environment's alone."""
    base = base_of(f"{own.folder}/", environment)
    for folder in (configured, BucketFolder(own.bucket, f"{base}/state"), BucketFolder(own.bucket, base)):
        if folder and folder.contains(own) and not any(map(folder.contains, foreign)):
            return folder
    return own


def find_locations(
    project: Project, root: str, bucket: str, exists: Callable[[str], bool] | None = None
) -> Locations:
    """What the bootstrap in `root`, whose own bucket is `bucket`, must know of locations.

    `exists` is asked of the buckets that the file in `root` does not name; without it they count as existing.
    """
    source = project.coverage.source
    scope = root_scope(source, source.real(root), (), ())
    prefix = literal(resolve((Ref("var", "memory_prefix"),), scope)) or ""
    environments = {
        name: each
        for name, each in _find_environment_locations(project, bucket).items()
        if each != _usual_locations(bucket, prefix, name)
    }
    for name, each in environments.items():
        if BucketFolder(bucket, "") in each.all:
            raise ConfigError(
                f"{name} keeps states at the top of gs://{bucket}, where the bootstrap keeps its own",
                file="infra.yaml",
                key="backend.gcs.prefix",
                advice="Give the bootstrap another bucket: `infra bootstrap --bucket NAME`.",
            )
    before = read_locations(project, root)
    existing = [
        name
        for name in Locations(environments).buckets
        if name != bucket
        and (name in before.existing_buckets if name in before.buckets else exists is None or exists(name))
    ]
    return Locations(environments, tuple(existing), prefix)


def read_locations(project: Project, root: str) -> Locations:
    """What the file of the bootstrap in `root` says; nothing where there is none, or one by other hands."""
    source = project.coverage.source
    path = source.tree.find(f"{root}/{FILE}")
    if path is None:
        return Locations()
    try:
        document = json.loads(source.read(path))
        environments = {
            str(name): EnvironmentLocations(*(_read_folders(each[use]) for use in ("memory", "states")))
            for name, each in document[VARIABLE].items()
        }
        return Locations(environments, tuple(map(str, document["existing_buckets"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Locations()


def _read_folders(documents: Sequence[Mapping[str, str]]) -> tuple[BucketFolder, ...]:
    return tuple(BucketFolder(str(each["bucket"]), str(each["folder"])) for each in documents)


def takes_locations(project: Project, root: str) -> bool:
    """Whether the bootstrap's code has the variable for them: code of others, or of before, has none."""
    source = project.coverage.source
    return VARIABLE in source.directory(source.real(root)).variables


def write_locations(project: Project, root: str, locations: Locations) -> bool:
    """Write the file, or delete it where there is nothing to say; returns whether that changed anything."""
    path, text = path_below(project.root, f"{root}/{FILE}"), locations.render()
    if (path.read_text(encoding="utf-8") if path.is_file() else "") == text:
        return False
    if text:
        write_text(path, text)
    else:
        path.unlink()
    return True


def location_findings(project: Project, root: str, bucket: str) -> Iterator[Finding]:
    """Environments in whose folders the bootstrap gives no rights, since infra.yaml or the code changed."""
    if not takes_locations(project, root):
        return
    before, now = read_locations(project, root), find_locations(project, root, bucket)
    changed = {
        name
        for name in before.environments.keys() | now.environments.keys()
        if before.environments.get(name) != now.environments.get(name)
    }
    for name in sorted(changed):
        folders = _find_environment_locations(project, bucket).get(name)
        where = ", ".join(folder.url for folder in folders.all) if folders else "in no bucket"
        yield Finding(
            "warning",
            "bootstrap-locations",
            f"{root} gives the accounts of {name} rights in other folders than it uses: {where}.",
            "Run `infra bootstrap`: it writes the folders, and shows the rights that change.",
            f"{root}/{FILE}",
        )


def shared_folders(locations: Mapping[str, EnvironmentLocations]) -> Iterator[tuple[str, str, BucketFolder]]:
    """Pairs of environments of which the first one's accounts reach what the second one's folder holds."""
    for (name, own), (other, foreign) in itertools.permutations(sorted(locations.items()), 2):
        for folder in foreign.all:
            if any(each.contains(folder) for each in own.all):
                yield name, other, folder
                break
