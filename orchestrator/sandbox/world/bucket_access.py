"""Access to buckets and managed folders: members, bindings and policies, all views of one IAM policy each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.sandbox.world.objects import WorldObject

if TYPE_CHECKING:
    from orchestrator.sandbox.gcs.store import GcsStore

_RESOURCES = ("google_storage_bucket", "google_storage_managed_folder")
_FORMS = ("member", "binding", "policy")
_BORN_WITH = ("projectEditor:", "projectOwner:", "projectViewer:")


@dataclass(frozen=True)
class _Target:
    """A bucket or a managed folder, and its policy."""

    prefix: str
    attributes: Mapping[str, str]
    read: Callable[[], dict[str, Any]]
    write: Callable[[Mapping[str, Any]], dict[str, Any]]


class BucketAccess:
    """Reads and writes the policies in the store."""

    def __init__(self, store: GcsStore) -> None:
        self._store = store
        self.types = frozenset(f"{resource}_iam_{form}" for resource in _RESOURCES for form in _FORMS)

    def list(self, type_: str | None, bucket: str) -> Iterator[WorldObject]:
        """The members of one bucket's policies, but not those that each bucket is born with."""
        for resource in _RESOURCES:
            for form in _FORMS:
                name = f"{resource}_iam_{form}"
                if type_ == name or (type_ is None and form == "member"):
                    for target in self._targets(resource, bucket):
                        yield from self._views(name, form, target)

    def find(self, type_: str, object_id: str) -> WorldObject | None:
        """One member, binding or policy."""
        resource, form = _parts(type_)
        for target in self._matching(resource, object_id):
            for view in self._views(type_, form, target, everything=True):
                if view.id == object_id:
                    return view
        return None

    def put(self, type_: str, object_id: str, attributes: Mapping[str, Any]) -> WorldObject:
        """Grant, or replace what is granted, with a policy of version 3 when there are conditions."""
        _, form = _parts(type_)
        target = self._target(type_, attributes)
        with self._store.lock:
            policy = target.read()
            if form == "policy":
                bindings = json.loads(attributes["policy_data"] or "{}").get("bindings") or []
            else:
                bindings = _grant(policy["bindings"], form, attributes)
            target.write({"version": 3, "bindings": bindings, "etag": policy["etag"]})
        object_ = self.find(type_, object_id)
        if object_ is None:
            raise LookupError(object_id)
        return object_

    def remove(self, type_: str, object_id: str) -> None:
        """Withdraw it; LookupError when it is not granted."""
        resource, form = _parts(type_)
        item = self.find(type_, object_id)
        if item is None:
            raise LookupError(object_id)
        target = next(iter(self._matching(resource, object_id)))
        with self._store.lock:
            policy = target.read()
            bindings = [] if form == "policy" else _revoke(policy["bindings"], form, item.attributes)
            target.write({"version": 3, "bindings": bindings, "etag": policy["etag"]})

    def _matching(self, resource: str, object_id: str) -> Iterator[_Target]:
        bucket = object_id.removeprefix("b/").split("/", 1)[0]
        if any(each["name"] == bucket for each in self._store.list_buckets(prefix=bucket)):
            for target in self._targets(resource, bucket):
                if object_id == target.prefix or object_id.startswith(target.prefix + "/"):
                    yield target

    def _target(self, type_: str, attributes: Mapping[str, Any]) -> _Target:
        bucket = str(attributes["bucket"]).removeprefix("b/")
        if _parts(type_)[0] == _RESOURCES[0]:
            return self._bucket_target(bucket)
        return self._folder_target(bucket, str(attributes["managed_folder"]))

    def _targets(self, resource: str, bucket: str) -> Iterator[_Target]:
        if resource == _RESOURCES[0]:
            yield self._bucket_target(bucket)
            return
        for folder in self._store.list_managed_folders(bucket):
            yield self._folder_target(bucket, folder["name"])

    def _bucket_target(self, bucket: str) -> _Target:
        return _Target(
            f"b/{bucket}",
            {"bucket": f"b/{bucket}"},
            lambda: self._store.get_bucket_policy(bucket),
            lambda policy: self._store.set_bucket_policy(bucket, policy),
        )

    def _folder_target(self, bucket: str, name: str) -> _Target:
        return _Target(
            f"b/{bucket}/managedFolders/{name}",
            {"bucket": bucket, "managed_folder": name},
            lambda: self._store.get_managed_folder_policy(bucket, name),
            lambda policy: self._store.set_managed_folder_policy(bucket, name, policy),
        )

    def _views(
        self, type_: str, form: str, target: _Target, *, everything: bool = False
    ) -> Iterator[WorldObject]:
        """The policy as objects of one form."""
        policy = target.read()

        def view(object_id: str, **attributes: Any) -> WorldObject:
            values = {**target.attributes, "id": object_id, "etag": policy["etag"], **attributes}
            return WorldObject("google", type_, object_id, values, "", "", partial=True)

        if form == "policy":
            yield view(target.prefix, policy_data=_policy_data(policy["bindings"]))
            return
        for binding in policy["bindings"]:
            condition = [dict(binding["condition"])] if "condition" in binding else []
            title = f"/{condition[0]['title']}" if condition else ""
            role = binding["role"]
            if form == "binding":
                members = list(binding["members"])
                yield view(f"{target.prefix}/{role}{title}", role=role, members=members, condition=condition)
                continue
            for member in binding["members"]:
                if everything or not member.startswith(_BORN_WITH):
                    object_id = f"{target.prefix}/{role}/{member}{title}"
                    yield view(object_id, role=role, member=member, condition=condition)


def _parts(type_: str) -> tuple[str, str]:
    resource, _, form = type_.rpartition("_iam_")
    return resource, form


def _condition(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    blocks = attributes.get("condition") or []
    return {key: value for key, value in blocks[0].items() if value} if blocks else None


def _is_same(binding: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    return bool(binding["role"] == attributes["role"] and binding.get("condition") == _condition(attributes))


def _grant(bindings: list[dict[str, Any]], form: str, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bindings with one member more, or with the members of one binding replaced."""
    added = [attributes["member"]] if form == "member" else list(attributes["members"])
    binding = next((each for each in bindings if _is_same(each, attributes)), None)
    if binding is None:
        condition = _condition(attributes)
        binding = {"role": attributes["role"], "members": added}
        return [*bindings, {**binding, "condition": condition} if condition else binding]
    members = [*binding["members"], *added] if form == "member" else added
    return [{**each, "members": members} if each is binding else each for each in bindings]


def _revoke(bindings: list[dict[str, Any]], form: str, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    rest = []
    for each in bindings:
        members = list(each["members"])
        if _is_same(each, attributes):
            members = [member for member in members if form == "member" and member != attributes["member"]]
        if members:
            rest.append({**each, "members": members})
    return rest


def _policy_data(bindings: list[dict[str, Any]]) -> str:
    ordered = sorted(
        ({**each, "members": sorted(each["members"])} for each in bindings),
        key=lambda each: (each["role"], json.dumps(each, sort_keys=True)),
    )
    return json.dumps({"bindings": ordered} if ordered else {}, separators=(",", ":"), sort_keys=True)
