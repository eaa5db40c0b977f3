"""What a sandbox serves, put together: the GCS server, the simulated providers and their world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from orchestrator.errors import SandboxError
from orchestrator.sandbox.control import Operation
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.gcs.store import GcsError, Query
from orchestrator.sandbox.needs import Account, Needs, Types, resources_in_state, types_in_state
from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.schemas import Schemas, source_address
from orchestrator.sandbox.world import World, WorldObject

PROJECT = "sandbox"
WORLD = "default"
STATE_SUFFIX = ".tfstate"
TAKEN = 409
# On buckets that the sandbox made by itself, so that a project has somewhere to keep its states.
OURS = {"made-by": "sandbox"}


class Cloud:
    """One folder's cloud. `prepare` may be called from several threads, and only ever adds.

    `defaults` are the `project`, `region` and `zone` of provider blocks that name none.
    """

    def __init__(self, folder: Path, defaults: Mapping[str, str] | None = None) -> None:
        self._gcs = GcsServer(folder / "gcs")
        self._store = self._gcs.store
        self._schemas = Schemas([folder / "schemas"])
        self._providers = ProviderServer(
            folder / "world", self._schemas, store=self._store, defaults=defaults
        )
        self._lock = Lock()
        self._seen: dict[tuple[str, str], str] = {}
        self._opened: dict[tuple[str, str], Account] = {}
        self.accounts: dict[str, int] = {}

    @property
    def gcs_port(self) -> int:
        """The port of the GCS server on which everything is allowed."""
        return self._gcs.open_port()

    @property
    def world(self) -> World:
        """The world that the simulated providers work on."""
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
        """Make what a project needs (`Needs.document`): buckets, accounts with their rights, types to serve.

        The answer names the `providers` and `types` that no recorded schema has.
        """
        wanted = Needs.of(needs)
        with self._lock:
            for bucket in wanted.buckets:
                self._make_bucket(bucket)
            for account in wanted.accounts:
                self._open_account(account)
            return self._serve(wanted.types | self._types_in_states(), wanted.providers)

    def operations(self) -> dict[str, Operation]:
        """What a command may ask for by name."""
        return {
            "status": self.status,
            "states": self.states,
            "give_up_bucket": self.give_up_bucket,
            "act_as": self._gcs.open_port,
            "world_list": lambda type=None, glob=None: [shown(one) for one in self.world.list(type, glob)],
            "world_show": lambda name: shown(self.world.get(name), whole=True),
            "world_set": lambda name, path, value: shown(self.world.set(name, path, value), whole=True),
            "world_delete": lambda name: shown(self.world.delete(name)),
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
        """How much of a real cloud's waiting is played; changed first when `scale` is given."""
        if scale is not None:
            self.world.set_delays(scale)
        return self.world.delay_scale

    def give_up_bucket(self, name: str) -> bool:
        """Delete a bucket that we made and that holds nothing: the project makes its own. Was there one?"""
        with self._lock:
            try:
                if not self._is_ours(name) or any(self._objects(name)):
                    return False
                self._store.delete_bucket(name)
            except GcsError:
                return False
            for account in [one for one in self._opened.values() if one.bucket == name]:
                self.accounts.pop(account.name, None)
                del self._opened[account.environment, account.role]
            return True

    def _is_ours(self, bucket: str) -> bool:
        return self._store.get_bucket(bucket).get("labels") == OURS

    def states(self) -> dict[str, int]:
        """How many resources each state holds, by the object's name; all buckets together."""
        return {
            item["name"]: resources_in_state(self._store.read_object(bucket["name"], item["name"])[1])
            for bucket in self._store.list_buckets()
            for item in self._objects(bucket["name"])
            if item["name"].endswith(STATE_SUFFIX)
        }

    def _make_bucket(self, name: str) -> None:
        """A state bucket as it should be: every state kept, access by IAM alone, nothing public."""
        body = {
            "name": name,
            "labels": OURS,
            "versioning": {"enabled": True},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
        }
        try:
            self._store.create_bucket(PROJECT, body)
        except GcsError as error:
            if error.status != TAKEN:
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
        managed = {one["name"] for one in self._store.list_managed_folders(account.bucket)}
        for folder, role in account.rights():
            if folder not in managed:
                self._store.insert_managed_folder(account.bucket, folder)
                managed.add(folder)
            policy = self._store.get_managed_folder_policy(account.bucket, folder)
            granted = with_member(policy, role, account.member)
            self._store.set_managed_folder_policy(account.bucket, folder, granted)

    def _serve(self, types: Types, providers: Iterable[str] = ()) -> dict[str, list[str]]:
        """Serve more types, each by every provider that has it; returns what has no recorded schema."""
        known = self._schemas.sources()
        left = types.without_builtin()
        for source in known:
            schema = self._schemas.find(source)
            resources = types.resources & schema.resource_types
            data_sources = types.data_sources & schema.data_source_types
            # Also with no types: a provider that is only configured must be attached all the same.
            self._providers.serve_types(source, resources, data_sources)
            left = Types(left.resources - resources, left.data_sources - data_sources)
        names = tuple(f"{source.rpartition('/')[2]}_" for source in known)
        return {
            "providers": sorted(one for one in providers if source_address(one) not in known),
            "types": sorted(one for one in left.resources | left.data_sources if one.startswith(names)),
        }

    def _types_in_states(self) -> Types:
        """The types of every state that has been written since we looked last."""
        found = Types()
        for bucket in self._store.list_buckets():
            for item in self._objects(bucket["name"]):
                key = (bucket["name"], item["name"])
                if item["name"].endswith(STATE_SUFFIX) and self._seen.get(key) != item["generation"]:
                    self._seen[key] = item["generation"]
                    found |= types_in_state(self._store.read_object(*key)[1])
        return found

    def _objects(self, bucket: str) -> Iterator[dict[str, Any]]:
        """The bucket's live objects, page by page."""
        page = self._store.list_objects(bucket)
        yield from page.items
        while page.next_token:
            page = self._store.list_objects(bucket, Query(token=page.next_token))
            yield from page.items


def with_member(policy: Mapping[str, Any], role: str, member: str) -> dict[str, Any]:
    """The policy with one more member of a role; the same when it has it already."""
    bindings = [dict(one) for one in policy.get("bindings", ())]
    mine = next((one for one in bindings if one["role"] == role and "condition" not in one), None)
    if mine is None:
        bindings.append({"role": role, "members": [member]})
    elif member not in mine["members"]:
        mine["members"] = [*mine["members"], member]
    return {**policy, "bindings": bindings}


def shown(item: WorldObject, *, whole: bool = False) -> dict[str, Any]:
    """An object of the world for the command line."""
    head = {"type": item.type, "id": item.id, "created": item.created, "updated": item.updated}
    return {**head, "attributes": item.attributes} if whole else head
