"""Finds orphans: resources that an interrupted apply created and that are missing in the state.

Pure functions. The journal is Terraform's `-json` lines, or those that `reduce_line` left of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engine.import_ids import ImportIds, import_ids
from orchestrator.errors import StateError
from orchestrator.jsontext import MALFORMED, mapping, read_object
from orchestrator.masking.shapes import SecretShapes

SHAPES = SecretShapes()
_HOOKS = ("apply_start", "apply_complete", "apply_errored")
PLANNED = "planned_resource"
LOST_ANSWER = "lost_answer"

# An error after which nobody knows whether the provider's request was carried out: the provider's process
# died, its connection broke, or the API answered with an error of its own.
_LOST = re.compile(
    r"plugin did not respond|the plugin encountered an error|plugin error|request cancell?ed|\bEOF\b"
    r"|connection reset|broken pipe|transport is closing|connection (?:was )?(?:lost|forcibly closed)"
    r"|use of closed (?:network )?connection|i/o timeout|timeout while waiting|deadline exceeded"
    r"|context canceled|client\.timeout|tls handshake timeout|server sent goaway|stream error"
    r"|(?:error|statuscode:|status code:?|status|http) ?50[0234]\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Orphan:
    """An object that exists, or may exist, and is not in the state.

    `id` is what the provider called it, empty when it never said; `import_id` what `import` takes, empty when
    nobody can tell; `name` what it was planned to be called. `certain` is true for one whose creation was
    finished, `begun` for one that the journal names at all, `rejected` for one whose creation the provider
    refused. `replaced` is the id under which the state still has the deleted object that it replaces.
    """

    address: str
    type: str
    id: str
    import_id: str
    name: str
    certain: bool
    begun: bool = True
    rejected: bool = False
    replaced: str = ""

    def __str__(self) -> str:
        called = self.id or self.name
        return f"{self.address} ({called})" if called else self.address


@dataclass(frozen=True)
class OrphanReport:
    """The result of comparing a journal with a state.

    `missing` were created, `maybe` were begun, `recreated` may simply be created again (they live in the
    state alone, or creating them twice changes nothing), `doubled` were created to replace an object that the
    state has and that may still exist.
    """

    missing: tuple[Orphan, ...] = ()
    maybe: tuple[Orphan, ...] = ()
    recreated: tuple[str, ...] = ()
    doubled: tuple[Orphan, ...] = ()

    @property
    def is_clean(self) -> bool:
        """True when the state knows everything that the journal does."""
        return not (self.missing or self.maybe or self.doubled)

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        """All that exists, or may exist, and is not in the state."""
        return (*self.missing, *self.maybe, *self.doubled)

    @property
    def unanswered(self) -> tuple[Orphan, ...]:
        """Those that exist, or of which nobody knows whether they do."""
        return (*self.missing, *(orphan for orphan in self.maybe if not orphan.rejected))

    def without(self, addresses: Iterable[str]) -> OrphanReport:
        """The same without what somebody chose to forget."""
        forgotten = set(addresses)

        def without_forgotten(orphans: tuple[Orphan, ...]) -> tuple[Orphan, ...]:
            return tuple(orphan for orphan in orphans if orphan.address not in forgotten)

        return OrphanReport(
            without_forgotten(self.missing),
            without_forgotten(self.maybe),
            self.recreated,
            without_forgotten(self.doubled),
        )


@dataclass
class _Fate:
    """The outcome of one resource according to the journal.

    `was_cut_off` is true once a creation began and nothing was heard of its end before the next one began.
    """

    type: str
    id: str = ""
    is_created: bool = False
    is_open: bool = False
    is_rejected: bool = False
    was_cut_off: bool = False
    deleting: str = ""
    deleted: set[str] = field(default_factory=set)

    @property
    def may_exist(self) -> bool:
        """Created, or begun."""
        return self.is_created or self.is_open


@dataclass(frozen=True)
class PlannedResource:
    """What a plan said of a resource that it creates, as far as it helps to find it: plain attributes.

    `replaces` is the id of the object that it replaces, empty for none.
    """

    type: str
    values: Mapping[str, str]
    replaces: str = ""

    @property
    def name(self) -> str:
        """What it was to be called."""
        return next((self.values[key] for key in NAMES if self.values.get(key)), "")


# Attributes by which a cloud's objects are called.
NAMES = ("name", "account_id", "bucket", "secret_id", "service", "title")


def reduce_line(line: bytes) -> bytes | None:
    """A journal's line as it may leave the run's folder: address, type, action and id; None for any other.

    Of an error after which nobody knows what was done, only the address is kept. An id is left out where
    nothing is imported by it, and where it looks like a secret.
    """
    document = _document(line)
    lost = lost_answer_address(document)
    if lost:
        return json.dumps({"type": LOST_ANSWER, "addr": lost}, separators=(",", ":")).encode()
    if document.get("type") not in _HOOKS:
        return None
    hook = document.get("hook") or {}
    resource = hook.get("resource") or {}
    id_value = str(hook.get("id_value") or "")
    is_useless = import_ids().is_recreated(str(resource.get("resource_type") or ""))
    has_id = not is_useless and SHAPES.mask(id_value) == id_value
    reduced_document = {
        "type": document["type"],
        "hook": {
            "resource": {name: resource.get(name) for name in ("addr", "resource_type")},
            **{
                name: hook[name]
                for name in ("action", *(("id_key", "id_value") if has_id else ()))
                if name in hook
            },
        },
    }
    return json.dumps(reduced_document, separators=(",", ":")).encode()


def lost_answer_address(document: Mapping[str, Any]) -> str:
    """The address of the resource that an error leaves in doubt; empty for any other line."""
    if document.get("type") == LOST_ANSWER:
        return str(document.get("addr") or "")
    if document.get("type") != "diagnostic":
        return ""
    diagnostic = mapping(document.get("diagnostic"))
    text = f"{diagnostic.get('summary')}\n{diagnostic.get('detail')}"
    is_lost = diagnostic.get("severity") == "error" and _LOST.search(text)
    return str(diagnostic.get("address") or "") if is_lost else ""


def planned_line(address: str, planned: PlannedResource) -> bytes:
    """A line that says what a resource was planned to be; it stands in a journal before all others."""
    document = {"type": PLANNED, "addr": address, "resource_type": planned.type, "values": planned.values}
    if planned.replaces:
        document["replaces"] = planned.replaces
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def compare(
    lines: Iterable[bytes], state: bytes | None, ids: ImportIds, *, is_complete: bool = True
) -> OrphanReport:
    """Compare a journal with a state (None: there is none).

    Where the journal may lack its last lines (`is_complete` is false), whatever was planned may have been
    created. An address that is in the state is known, whatever its id: an import may give it another than
    its creation did. Only a state that still has the object which the created one replaces does not know it.
    """
    fates, planned = _fates(lines)
    unheard = [] if is_complete else [address for address in planned if address not in fates]
    fates |= {address: _Fate(planned[address].type, is_open=True) for address in unheard}
    existing = instances(state) if state else {}
    missing: list[Orphan] = []
    maybe: list[Orphan] = []
    recreated: list[str] = []
    doubled: list[Orphan] = []
    for address, fate in fates.items():
        plan = planned.get(address, PlannedResource(fate.type, {}))
        old = existing.get(address, "")
        is_replaced = old != fate.id and old in {*fate.deleted, fate.deleting, plan.replaces} - {""}
        if not fate.may_exist or (address in existing and not is_replaced):
            continue
        if ids.is_recreated(fate.type):
            recreated.append(address)
            continue
        is_doubled = is_replaced and old not in fate.deleted
        # What was refused is perhaps somebody else's: that is why it was. And no import goes to an address
        # that the state has.
        is_tried = not (fate.is_rejected or is_doubled)
        orphan = Orphan(
            address=address,
            type=fate.type,
            id=fate.id,
            import_id=ids.of(fate.type, fate.id, plan.values) if is_tried else "",
            name=plan.name,
            certain=fate.is_created,
            begun=address not in unheard,
            rejected=fate.is_rejected,
            replaced=old if is_replaced else "",
        )
        (maybe if not fate.is_created else doubled if is_doubled else missing).append(orphan)
    return OrphanReport(tuple(missing), tuple(maybe), tuple(recreated), tuple(doubled))


def _fates(lines: Iterable[bytes]) -> tuple[dict[str, _Fate], dict[str, PlannedResource]]:
    fates: dict[str, _Fate] = {}
    planned: dict[str, PlannedResource] = {}
    for line in lines:
        document = _document(line)
        kind = document.get("type")
        if kind == PLANNED:
            values = {str(name): str(value) for name, value in (document.get("values") or {}).items()}
            replaces = str(document.get("replaces") or "")
            planned[str(document.get("addr"))] = PlannedResource(
                str(document.get("resource_type")), values, replaces
            )
        elif kind in _HOOKS:
            hook = document.get("hook") or {}
            resource = hook.get("resource") or {}
            address = str(resource.get("addr", ""))
            fate = fates.setdefault(address, _Fate(str(resource.get("resource_type", ""))))
            _note(fate, str(kind), str(hook.get("action", "")), str(hook.get("id_value") or ""))
        elif (address := lost_answer_address(document)) in fates:
            fates[address].is_rejected = False
    return fates, planned


def _note(fate: _Fate, kind: str, action: str, identity: str) -> None:
    if action == "delete" and kind == "apply_start":
        fate.deleting = identity
    elif action == "delete" and kind == "apply_complete":
        # A replacement that creates first deletes another object than the one that it has created.
        if fate.deleting in ("", fate.id) or not fate.id:
            fate.is_created = fate.is_open = fate.is_rejected = fate.was_cut_off = False
        fate.deleted.add(fate.deleting)
        fate.deleting = ""
    elif action == "create" and kind == "apply_complete":
        fate.id, fate.is_created, fate.is_open, fate.is_rejected = identity, True, False, False
    elif action == "create":
        # One that failed may have left something behind, too: the state would say so, and it is lost.
        if kind == "apply_start":
            fate.was_cut_off = fate.was_cut_off or (fate.is_open and not fate.is_rejected)
        # What an earlier attempt began is the reason why a later one is refused.
        fate.is_open, fate.is_rejected = True, kind == "apply_errored" and not fate.was_cut_off


def state_without(state: bytes, addresses: Collection[str]) -> bytes:
    """A state without the managed resources at some addresses, for a plan; it is never pushed."""
    document = read_object(state)
    for resource in document.get("resources") or ():
        if resource.get("mode") == "managed":
            base = _base_address(resource)
            resource["instances"] = [
                instance
                for instance in resource.get("instances") or ()
                if base + _index(instance.get("index_key")) not in addresses
            ]
    return json.dumps(document).encode()


def instances(state: bytes) -> dict[str, str]:
    """The managed resources of a state: address → `id` attribute, empty for one without."""
    try:
        return _instances(read_object(state))
    except MALFORMED as error:
        raise StateError(
            "The state is not one that Terraform wrote.", advice="`infra state history` lists older versions."
        ) from error


def _instances(state: Mapping[str, Any]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for resource in state.get("resources") or ():
        if resource.get("mode") != "managed":
            continue
        base = _base_address(resource)
        for instance in resource.get("instances") or ():
            if instance.get("deposed"):
                continue
            attributes: Mapping[str, Any] = instance.get("attributes") or {}
            ids[base + _index(instance.get("index_key"))] = str(attributes.get("id") or "")
    return ids


def _base_address(resource: Mapping[str, Any]) -> str:
    """The address of a resource in a state, without the key of an instance."""
    module = f"{resource['module']}." if resource.get("module") else ""
    return f"{module}{resource['type']}.{resource['name']}"


def _index(key: object) -> str:
    """An instance's key as an address has it."""
    if key is None:
        return ""
    if isinstance(key, str):
        text = json.dumps(key, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
        return f"[{text}]"
    return f"[{key}]"


def _document(line: bytes) -> dict[str, Any]:
    try:
        return read_object(line)
    except ValueError:
        return {}
