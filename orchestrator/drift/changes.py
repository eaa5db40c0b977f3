"""Reads who changed which resource in the cloud, from audit log entries and asset feeds.

What is read decides which stacks are checked first, and who is named beside a drift. It is never believed to
be complete: every stack is checked all the same, and only a plan says what differs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from orchestrator.drift.report import StackDrift
from orchestrator.jsontext import MALFORMED, items, mapping, read_json, read_object
from orchestrator.state.records import LedgerEntry
from orchestrator.state.statefile import instance_address

# Logs of what was changed; the others tell of reads too.
_LOGS = re.compile(r"cloudaudit\.googleapis\.com/(?:activity|system_event)$")
_LONGEST = 256


@dataclass(frozen=True)
class CloudChange:
    """A change of one resource: its path as `resource_path` writes it, by whom, and when (UTC, with a Z).

    `who` is empty in an asset feed, which does not say.
    """

    resource: str
    who: str
    when: str


def read_changes(data: bytes) -> tuple[tuple[CloudChange, ...], int]:
    """The changes in a file, and how many of its entries are of no known form.

    A file is a JSON list, or has one JSON object a line. An entry is a LogEntry of Cloud Audit Logs, a
    TemporalAsset of a feed of Cloud Asset Inventory, or a Pub/Sub message with one of these.
    """
    changes = []
    unknown = 0
    for entry in _entries(data):
        try:
            change = _read_entry(_unwrap(entry))
        except MALFORMED:
            unknown += 1
        else:
            changes += [change] if change else []
    return tuple(changes), unknown


def read_entry(entry: Mapping[str, Any]) -> CloudChange | None:
    """The change that one entry tells of; None for another log, and for what is of no known form."""
    try:
        return _read_entry(_unwrap(entry))
    except MALFORMED:
        return None


def _entries(data: bytes) -> Iterator[Any]:
    try:
        value = read_json(data)
    except ValueError:
        for line in data.splitlines():
            if line.strip():
                try:
                    yield read_json(line)
                except ValueError:
                    yield None
        return
    yield from value if isinstance(value, list) else [value]


def _unwrap(entry: Any) -> Mapping[str, Any]:
    """The entry in a message of Pub/Sub, any other entry itself."""
    message = entry["message"] if isinstance(entry.get("message"), dict) else entry
    if isinstance(message.get("data"), str):
        return read_object(base64.b64decode(message["data"], validate=True))
    if not isinstance(entry, dict):
        raise TypeError("an entry is an object")
    return entry


def _read_entry(entry: Mapping[str, Any]) -> CloudChange | None:
    """The change that an entry tells of; None for an entry of another log. Raises one of MALFORMED."""
    if "asset" in entry:
        asset = entry["asset"]
        window = mapping(entry.get("window"))
        return CloudChange(
            resource_path(asset["name"]), "", _timestamp(window.get("startTime") or asset["updateTime"])
        )
    payload = entry["protoPayload"]
    if not _LOGS.search(unquote(entry["logName"])):
        return None
    service, name = str(payload.get("serviceName", "")), payload["resourceName"]
    author = mapping(payload.get("authenticationInfo")).get("principalEmail") or ""
    resource = resource_path(name if "/" in name else f"//{service}/{name}")
    return CloudChange(resource, str(author)[:_LONGEST], _timestamp(entry["timestamp"]))


def _timestamp(text: str) -> str:
    """A time of RFC 3339 in UTC and whole seconds."""
    # Nine digits of a second are more than Python 3.10 and its like can read.
    moment = datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def resource_path(name: str) -> str:
    """One name for the many ways in which Google writes a resource's.

    `//pubsub.googleapis.com/projects/p/topics/t`, the same as a URL of an API, and `projects/p/topics/t` are
    one resource; so are `//storage.googleapis.com/b`, `projects/_/buckets/b` and `…/storage/v1/b/b`.
    """
    path = re.sub(r"^[a-z]+:(?=//)", "", name)
    host, below = re.match(r"^(?://([^/]*)/)?(.*)$", path, re.DOTALL).groups()  # type: ignore[union-attr]
    bucket = re.match(r"^(?:projects/_/buckets/|(?:storage/v1/)?b/)([^/]+)", below)
    if bucket is None and host == "storage.googleapis.com":
        bucket = re.match(r"^([^/]+)", below)
    if bucket:
        return f"buckets/{bucket[1]}"
    account = re.search(r"(?:^|/)serviceAccounts/([^/]+)", below)
    if account:
        return f"serviceAccounts/{account[1]}"
    container = re.search(r"(?:^|/)((?:projects|folders|organizations)/.+)$", below)
    return (container[1] if container else below).rstrip("/")


def resource_addresses(state: bytes) -> dict[str, set[str]]:
    """The addresses of the instances in a state by the paths that their resources have in the cloud.

    Empty for what cannot be read.
    """
    addresses: dict[str, set[str]] = {}
    try:
        for resource in items(read_object(state).get("resources")):
            if resource.get("mode") != "managed":
                continue
            for instance in items(resource.get("instances")):
                address = instance_address(resource, instance.get("index_key"))
                for path in _paths(resource["type"], mapping(instance.get("attributes"))):
                    addresses.setdefault(path, set()).add(address)
    except MALFORMED:
        return {}
    return addresses


def _paths(kind: str, attributes: Mapping[str, Any]) -> set[str]:
    texts = {name: value for name, value in attributes.items() if isinstance(value, str) and value}
    if "_iam_" in kind:
        # Who may use a resource is changed on that resource, which one of the arguments names.
        own = {value for value in texts.values() if "/" in value}
        own |= (
            {f"projects/{texts['project']}"}
            if kind.startswith("google_project_") and "project" in texts
            else set()
        )
        own |= {f"projects/_/buckets/{texts['bucket']}"} if "bucket" in texts else set()
    else:
        own = {texts[name] for name in ("id", "self_link", "name") if "/" in texts.get(name, "")}
        own |= (
            {f"projects/_/buckets/{texts['id']}"}
            if kind == "google_storage_bucket" and "id" in texts
            else set()
        )
        if kind == "google_service_account" and "unique_id" in texts:
            own |= {f"projects/-/serviceAccounts/{texts['unique_id']}"}
        if kind == "google_project" and "project_id" in texts:
            own |= {f"projects/{texts['project_id']}"}
    return {resource_path(value) for value in own}


@dataclass(frozen=True)
class StackChanges:
    """The changes of the resources of stacks: the latest by stack and address."""

    by_stack: Mapping[str, Mapping[str, CloudChange]] = field(default_factory=dict)

    @classmethod
    def match(
        cls, changes: Sequence[CloudChange], addresses_by_stack: Mapping[str, Mapping[str, set[str]]]
    ) -> StackChanges:
        """Find the stacks that the changed resources are in, by the `resource_addresses` of their states."""
        latest: dict[str, CloudChange] = {}
        for change in sorted(changes, key=lambda change: change.when):
            latest[change.resource] = change
        by_stack: dict[str, dict[str, CloudChange]] = {}
        for stack, addresses in addresses_by_stack.items():
            for path in addresses.keys() & latest.keys():
                for address in addresses[path]:
                    by_address = by_stack.setdefault(stack, {})
                    known = by_address.get(address)
                    if known is None or known.when < latest[path].when:
                        by_address[address] = latest[path]
        return cls(by_stack)

    def changed_after(self, stack: str, moment: str) -> bool:
        """Whether one of the stack's resources was changed after a moment."""
        return any(change.when > moment for change in self.by_stack.get(stack, {}).values())

    def resources_of(self, stack: str) -> set[str]:
        """The paths of the stack's resources that were changed."""
        return {change.resource for change in self.by_stack.get(stack, {}).values()}

    def name_authors(
        self, stack_drift: StackDrift, entry: LedgerEntry | None, mask: Callable[[str], str]
    ) -> StackDrift:
        """Name who changed what drifted, and when, where the provider's own data do not say who.

        Changes up to the last apply are left out: it made them itself.
        """
        by_address = self.by_stack.get(stack_drift.id)
        if not by_address:
            return stack_drift
        since = entry.applied_at if entry else ""
        resources = tuple(
            replace(resource, who=mask(change.who), when=change.when)
            if (change := by_address.get(resource.address))
            and change.when > since
            and resource.kind != "unapplied"
            and not resource.who
            else resource
            for resource in stack_drift.resources
        )
        return replace(stack_drift, resources=resources)


def order_checks(
    oldest_first: Sequence[str], is_changed: Callable[[str], bool], is_due: Callable[[str], bool]
) -> list[str]:
    """The order of checks: what changed first, in turn with what is due, then the rest.

    In turn, so that changes which never end do not keep a budget from what was not checked for long.
    """
    changed = [id_ for id_ in oldest_first if is_changed(id_)]
    others = [id_ for id_ in oldest_first if not is_changed(id_)]
    due = [id_ for id_ in others if is_due(id_)]
    order = []
    for position in range(max(len(changed), len(due)) if changed else 0):
        order += [*changed[position : position + 1], *due[position : position + 1]]
    ordered = set(order)
    return [*order, *(id_ for id_ in others if id_ not in ordered)]
