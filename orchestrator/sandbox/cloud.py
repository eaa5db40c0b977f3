"""The servers of one sandbox: Cloud Storage, and the simulated providers with their resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox.control import Operation
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.gcs.store import GcsError, Query
from orchestrator.sandbox.needs import Account, Needs, ResourceTypes, resources_in_state, types_in_state
from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.schemas import RecordedSchemas, source_address
from orchestrator.sandbox.world import World, WorldObject

PROJECT = "sandbox"
WORLD = "default"
STATE_SUFFIX = ".tfstate"
CONFLICT = 409
# Labels of the buckets that the sandbox creates for a project's states.
SANDBOX_LABELS = {"made-by": "sandbox"}


class Cloud:
    """The cloud in one folder. `prepare` may be called from several threads, and only adds.

    `defaults` are the `project`, `region` and `zone` of provider blocks that name none.
    """

    def __init__(self, folder: Path, defaults: Mapping[str, str] | None = None) -> None:
        self._gcs = GcsServer(folder / "gcs")
        self._store = self._gcs.store
        self._schemas = RecordedSchemas([folder / "schemas"])
        self._providers = ProviderServer(
            folder / "world", self._schemas, store=self._store, defaults=defaults
        )
        self._lock = Lock()
        self._seen: dict[tuple[str, str], str] = {}
        self._opened: dict[tuple[str, str], Account] = {}
        self.accounts: dict[str, int] = {}

    @property
    def gcs_port(self) -> int:
        """The owner's port of the GCS server."""
        return self._gcs.open_port()

    @property
    def world(self) -> World:
        """The resources that the simulated providers manage."""
        return self._providers.world(WORLD)

    def start(self) -> None:
        """Answer on every port."""
        self._gcs.start()
        self._providers.start()
        self._serve(self._types_in_states())

    def close(self) -> None:
        """Stop answering; everything is in the folder."""
        self._providers.close()
        self._gcs.close()

    def reattach(self, sentinel: int) -> str:
        """The value of TF_REATTACH_PROVIDERS; providers that were recorded meanwhile are in it."""
        return reattach_config(self._providers.open(WORLD), sentinel)

    def prepare(self, needs: Mapping[str, Any]) -> dict[str, list[str]]:
        """Create a project's needs (`Needs.document`): buckets, accounts with their rights, types to serve.

        The answer names the `providers` and `types` that no recorded schema has.
        """
        project_needs = Needs.of(needs)
        with self._lock:
            for bucket in project_needs.buckets:
                self._make_bucket(bucket)
            for account in project_needs.accounts:
                self._open_account(account)
            return self._serve(project_needs.types | self._types_in_states(), project_needs.providers)

    def operations(self) -> dict[str, Operation]:
        """The operations of the control server, by name."""
        return {
            "status": self.status,
            "states": self.states,
            "give_up_bucket": self.release_bucket,
            "act_as": self._gcs.open_port,
            "world_list": lambda type=None, glob=None: [
                _describe_object(item) for item in self.world.list(type, glob)
            ],
            "world_show": lambda name: _describe_object(self.world.get(name), whole=True),
            "world_set": lambda name, path, value: _describe_object(
                self.world.set(name, path, value), whole=True
            ),
            "world_delete": lambda name: _describe_object(self.world.delete(name)),
            "world_break": lambda target, operation, message, times=None: self.world.break_(
                target, operation, message, times
            ),
            "world_mend": lambda target=None: self.world.mend(target),
            "world_delays": self.set_delays,
        }

    def status(self) -> dict[str, Any]:
        """Providers, buckets and the size of the world."""
        buckets = [bucket["name"] for bucket in self._store.list_buckets()]
        return {
            "providers": self._providers.open(WORLD),
            "buckets": {name: sum(1 for _ in self._objects(name)) for name in sorted(buckets)},
            "world": len(self.world.list()),
            "faults": len(self.world.faults.list()),
        }

    def set_delays(self, scale: float | None = None) -> float:
        """The share of a real cloud's delays that is simulated, set to `scale` first if it is given."""
        if scale is not None:
            self.world.set_delays(scale)
        return self.world.delay_scale

    def release_bucket(self, name: str) -> bool:
        """Delete an empty bucket that the sandbox created: the project creates its own. Whether it did."""
        with self._lock:
            try:
                if not self._is_ours(name) or any(self._objects(name)):
                    return False
                self._store.delete_bucket(name)
            except GcsError:
                return False
            for account in [account for account in self._opened.values() if account.bucket == name]:
                self.accounts.pop(account.name, None)
                del self._opened[account.environment, account.role]
            return True

    def _is_ours(self, bucket: str) -> bool:
        return self._store.get_bucket(bucket).get("labels") == SANDBOX_LABELS

    def states(self) -> dict[str, int]:
        """How many resources each state holds, by the object's name; all buckets together."""
        return {
            item["name"]: resources_in_state(self._store.read_object(bucket["name"], item["name"])[1])
            for bucket in self._store.list_buckets()
            for item in self._objects(bucket["name"])
            if item["name"].endswith(STATE_SUFFIX)
        }

    def _make_bucket(self, name: str) -> None:
        """Create a state bucket: versioned, access by IAM alone, nothing public."""
        body = {
            "name": name,
            "labels": SANDBOX_LABELS,
            "versioning": {"enabled": True},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
        }
        try:
            self._store.create_bucket(PROJECT, body)
        except GcsError as error:
            if error.status != CONFLICT:
                raise SandboxError(
                    f"The bucket {name!r} cannot be made: {error.message}",
                    advice="Give the backend a bucket whose name Cloud Storage accepts.",
                ) from error

    def _open_account(self, account: Account) -> None:
        """A port that acts as the account, with rights on its managed folders and nothing else.

        In a bucket that the project made itself it has the rights that the project gave it.
        """
        key = account.environment, account.role
        if self._opened.get(key) == account:
            return
        try:
            if self._is_ours(account.bucket):
                self._give_rights(account)
        except GcsError as error:
            raise SandboxError(
                f"{account.name} cannot be given rights in {account.bucket}: {error.message}",
                advice="Give the backend a bucket that the sandbox can make.",
            ) from error
        self.accounts[account.name] = self._gcs.open_port(account.member)
        self._opened[key] = account

    def _give_rights(self, account: Account) -> None:
        managed = {
            managed_folder["name"] for managed_folder in self._store.list_managed_folders(account.bucket)
        }
        for folder, role in account.rights():
            if folder not in managed:
                self._store.insert_managed_folder(account.bucket, folder)
                managed.add(folder)
            policy = self._store.get_managed_folder_policy(account.bucket, folder)
            granted = add_member(policy, role, account.member)
            self._store.set_managed_folder_policy(account.bucket, folder, granted)
        name = f"projects/_/buckets/{account.bucket}/objects/{account.marker}"
        condition = {"title": "the marker of the memory", "expression": f'resource.name == "{name}"'}
        policy = self._store.get_bucket_policy(account.bucket)
        bindings = [
            {"role": role, "members": [account.member], "condition": condition}
            for role in account.marker_rights()
        ]
        new = [binding for binding in bindings if binding not in policy["bindings"]]
        if new:
            changed = {**policy, "version": 3, "bindings": [*policy["bindings"], *new]}
            self._store.set_bucket_policy(account.bucket, changed)

    def _serve(self, types: ResourceTypes, providers: Iterable[str] = ()) -> dict[str, list[str]]:
        """Serve more types, each by every provider that has it; returns what has no recorded schema."""
        sources = self._schemas.sources()
        resource_types = types.without_builtin()
        for source in sources:
            schema = self._schemas.find(source)
            resources = types.resources & schema.resource_types
            data_sources = types.data_sources & schema.data_source_types
            # Also with no types: a provider that is only configured must be attached all the same.
            self._providers.serve_types(source, resources, data_sources)
            resource_types = ResourceTypes(
                resource_types.resources - resources, resource_types.data_sources - data_sources
            )
        names = tuple(f"{source.rpartition('/')[2]}_" for source in sources)
        return {
            "providers": sorted(
                provider for provider in providers if source_address(provider) not in sources
            ),
            "types": sorted(
                resource
                for resource in resource_types.resources | resource_types.data_sources
                if resource.startswith(names)
            ),
        }

    def _types_in_states(self) -> ResourceTypes:
        """The types of every state that has been written since we looked last."""
        resource_types = ResourceTypes()
        for bucket in self._store.list_buckets():
            for item in self._objects(bucket["name"]):
                key = (bucket["name"], item["name"])
                if item["name"].endswith(STATE_SUFFIX) and self._seen.get(key) != item["generation"]:
                    self._seen[key] = item["generation"]
                    resource_types |= types_in_state(self._store.read_object(*key)[1])
        return resource_types

    def _objects(self, bucket: str) -> Iterator[dict[str, Any]]:
        """The bucket's live objects, page by page."""
        page = self._store.list_objects(bucket)
        yield from page.items
        while page.next_token:
            page = self._store.list_objects(bucket, Query(token=page.next_token))
            yield from page.items


def add_member(policy: Mapping[str, Any], role: str, member: str) -> dict[str, Any]:
    """The policy with one more member of a role; the same when it has it already."""
    bindings = [dict(binding) for binding in policy.get("bindings", ())]
    binding = next(
        (binding for binding in bindings if binding["role"] == role and "condition" not in binding), None
    )
    if binding is None:
        bindings.append({"role": role, "members": [member]})
    elif member not in binding["members"]:
        binding["members"] = [*binding["members"], member]
    return {**policy, "bindings": bindings}


def _describe_object(item: WorldObject, *, whole: bool = False) -> dict[str, Any]:
    """A resource for the command line."""
    head = {"type": item.type, "id": item.id, "created": item.created, "updated": item.updated}
    return {**head, "attributes": item.attributes} if whole else head
