"""Who may do what: roles, and the policies of a bucket and of the managed folders over an object."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox.gcs.errors import forbidden
from orchestrator.sandbox.gcs.store import GcsStore

# For a member, the basic roles that it holds, as policies name them: `projectViewer:ID`, `projectOwner:ID`, …
ProjectRoles = Callable[[str], Collection[str]]

_BUCKET = frozenset(
    f"storage.buckets.{verb}"
    for verb in ("create", "delete", "get", "getIamPolicy", "list", "setIamPolicy", "update")
)
_FOLDER_VIEW = frozenset({"storage.managedFolders.get", "storage.managedFolders.list"})
_FOLDER_EDIT = _FOLDER_VIEW | {"storage.managedFolders.create", "storage.managedFolders.delete"}
_FOLDER = _FOLDER_EDIT | {"storage.managedFolders.getIamPolicy", "storage.managedFolders.setIamPolicy"}
_VIEW = frozenset({"storage.objects.get", "storage.objects.list"})
_EDIT = _VIEW | {f"storage.objects.{verb}" for verb in ("create", "delete", "restore", "update")}
_OBJECT_POLICY = frozenset({"storage.objects.getIamPolicy", "storage.objects.setIamPolicy"})
_BUCKET_WRITE = frozenset(
    {"storage.buckets.get", "storage.objects.list", "storage.objects.create", "storage.objects.delete"}
    | {"storage.objects.restore"}
)

ROLES: Mapping[str, frozenset[str]] = {
    "roles/storage.admin": _BUCKET | _EDIT | _OBJECT_POLICY | _FOLDER,
    "roles/storage.bucketViewer": frozenset({"storage.buckets.get", "storage.buckets.list"}),
    "roles/storage.folderAdmin": _FOLDER,
    "roles/storage.objectAdmin": _EDIT | _OBJECT_POLICY | _FOLDER_EDIT,
    "roles/storage.objectCreator": frozenset({"storage.objects.create", "storage.managedFolders.create"}),
    "roles/storage.objectUser": _EDIT | _FOLDER_EDIT,
    "roles/storage.objectViewer": _VIEW | _FOLDER_VIEW,
    "roles/storage.legacyBucketReader": frozenset({"storage.buckets.get", "storage.objects.list"})
    | _FOLDER_VIEW,
    "roles/storage.legacyBucketWriter": _BUCKET_WRITE | _FOLDER_EDIT,
    "roles/storage.legacyBucketOwner": _BUCKET_WRITE
    | {"storage.buckets.getIamPolicy", "storage.buckets.setIamPolicy", "storage.buckets.update"}
    | _FOLDER,
    "roles/storage.legacyObjectReader": frozenset({"storage.objects.get"}),
    "roles/storage.legacyObjectOwner": frozenset({"storage.objects.get", "storage.objects.update"})
    | _OBJECT_POLICY,
}
# What the basic roles allow on a project itself; everything else goes by the bucket's policy.
_ON_PROJECT: Mapping[str, frozenset[str]] = {
    "projectViewer": frozenset({"storage.buckets.list"}),
    "projectEditor": frozenset({"storage.buckets.list", "storage.buckets.create", "storage.buckets.delete"}),
    "projectOwner": frozenset({"storage.buckets.list", "storage.buckets.create", "storage.buckets.delete"}),
}
_EQUALS = re.compile(r"""\s*resource\.name\s*==\s*(["'])(?P<name>[^"']*)\1\s*""")
_STARTS_WITH = re.compile(r"""\s*resource\.name\.startsWith\(\s*(["'])(?P<prefix>[^"']*)\1\s*\)\s*""")


def no_project_roles(member: str) -> Collection[str]:
    """Nobody holds a basic role."""
    return ()


@dataclass(frozen=True)
class Access:
    """What one account may do. `member` is as policies name it; None is the owner, who may do everything."""

    store: GcsStore
    member: str | None = None
    project_roles: ProjectRoles = no_project_roles

    @property
    def who(self) -> str:
        """The account in messages: its e-mail."""
        if self.member is None:
            return "owner"
        return "Anonymous caller" if self.member == "allUsers" else self.member.partition(":")[2]

    def allows(self, permission: str, bucket: str, name: str = "") -> bool:
        """True when the bucket's policy, or that of a managed folder over `name`, gives the permission.

        `name` is an object's name, a managed folder's or a listing's prefix. 404 for a missing bucket.
        """
        policies = self.store.policies_over(bucket, name)
        if self.member is None:
            return True
        members = self._members()
        on_project = {
            role.partition(":")[0]
            for role in members
            if role.endswith(":" + self.store.bucket_project(bucket))
        }
        if any(permission in _ON_PROJECT.get(role, ()) for role in on_project):
            return True
        resource = f"projects/_/buckets/{bucket}" + (f"/objects/{name}" if name else "")
        bindings = (binding for policy in policies for binding in policy["bindings"])
        return any(permission in ROLES.get(role, ()) for role in _granted(bindings, members, resource))

    def check(self, permission: str, bucket: str, name: str = "", kind: str = "object") -> None:
        """Raise 403 unless the account has the permission."""
        if not self.allows(permission, bucket, name):
            raise forbidden(self.who, permission, kind)

    def check_project(self, permission: str, project: str) -> None:
        """Raise 403 unless the account's basic role on the project gives the permission."""
        if self.member is None:
            return
        roles = {role.partition(":")[0] for role in self._members() if role.endswith(":" + project)}
        if not any(permission in _ON_PROJECT.get(role, ()) for role in roles):
            raise forbidden(self.who, permission, "project")

    def _members(self) -> frozenset[str]:
        """Every name under which a policy can mean this account."""
        member = str(self.member)
        if member == "allUsers":
            return frozenset({member})
        return frozenset({member, "allUsers", "allAuthenticatedUsers", *self.project_roles(member)})


def _granted(bindings: Iterable[Mapping[str, Any]], members: frozenset[str], resource: str) -> Iterable[str]:
    for binding in bindings:
        if members.intersection(binding["members"]) and _holds(binding.get("condition"), resource):
            yield binding["role"]


def _holds(condition: Mapping[str, Any] | None, resource: str) -> bool:
    """Of conditions, `resource.name.startsWith("…")` and `resource.name == "…"` are understood: any other
    grants nothing."""
    if not condition:
        return True
    expression = str(condition.get("expression", ""))
    if exact := _EQUALS.fullmatch(expression):
        return resource == exact["name"]
    match = _STARTS_WITH.fullmatch(expression)
    return match is not None and resource.startswith(match["prefix"])
